"""What only structure shows, forged with the seal and all that is written anew: tables, cells, headings, edited sentences, calls."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent import blocks, comparing, forms
from palimpsest.agent.draft import Block, Span, Support, copied_words
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.state import ResearchState, SubQuestion
from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.loaders import load
from palimpsest.retrieval.types import Document, Passage
from palimpsest.workflows import audit, audit_tables, research, seal
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.agent.lake import TopicReader
from tests.agent.test_changing import asked
from tests.agent.test_hops import Hopping, answered
from tests.agent.test_listing import CORVO, MARISA, NAMED, listed
from tests.agent.test_lookups import table
from tests.agent.world import ScriptedWriter
from tests.workflows import scripted

from .test_stop import stopped

ROWS = "Barge,Speed,Guests\nMarisa,12,40\nTolomeo,15,30\n"
PAGE = "# Barges\n\n## Fleets\n\nThe Marisa carries 40 guests on the lake.\n"


def read(folder: Path, name: str, text: str) -> tuple[Document, Passage]:
    (folder / name).write_text(text, encoding="utf-8")
    document = load(folder / name)
    assert isinstance(document, Document)
    return document, passages(document)[-1]


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: {"name": "Guests"},
        lambda cell: {"start": cell["start"] + 1},
        lambda cell: {"end": cell["end"] + 1},
        lambda cell: {"start": cell["start"] + 10_000, "end": cell["end"] + 10_000},
    ],
)
def test_a_cell_under_another_name_or_elsewhere_is_found(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    document, row = read(tmp_path, "rows.csv", ROWS)
    assert audit._passage_problems(row, document.text) == []
    cell = row.cells[1]
    forged = cell.model_copy(update=change(cell.model_dump()))
    problems = audit._passage_problems(row.model_copy(update={"cells": (row.cells[0], forged)}), document.text)
    assert any("that its row does not have" in p for p in problems)


def test_a_heading_that_no_source_has_and_sentences_elsewhere_are_found(tmp_path: Path) -> None:
    document, passage = read(tmp_path, "page.md", PAGE)
    assert passage.path
    assert audit._passage_problems(passage, document.text) == []
    under = passage.model_copy(update={"path": ("Wrecks",)})
    assert audit._passage_problems(under, document.text) == [f"passage {passage.id} stands under no heading 'Wrecks'"]
    moved = passage.model_copy(update={"sentences": ((passage.start, passage.end + 5),)})
    assert audit._passage_problems(moved, document.text) == [
        f"passage {passage.id} has sentences that do not lie in it"
    ]


def test_a_row_of_an_earlier_table_behind_a_later_one_is_found(tmp_path: Path) -> None:
    _, row = read(tmp_path, "rows.csv", ROWS)
    later = row.model_copy(update={"id": "later", "start": row.end + 2, "end": row.end + 2 + len(row.text)})
    later = later.model_copy(update={"table": (row.table or 0) + 1})
    assert audit._order_problems([row, later]) == []
    swapped = [row.model_copy(update={"table": later.table}), later.model_copy(update={"table": row.table})]
    assert len(audit._order_problems(swapped)) == 1


def compared(attributes: tuple[str, ...]) -> tuple[ResearchState, Block]:
    passage = Passage.model_validate(
        {"id": "s-0", "text": "Salt has a high price.", "start": 0, "end": 22,
         "source": {"id": "s", "uri": "note:s", "title": "Costs of trade", "sha256": "0" * 64}}
    )  # fmt: skip
    question = SubQuestion(
        id="q1", text="?", asked="?", form="comparison", things=("salt", "wind"), attributes=attributes
    )
    state = ResearchState(question="?", questions=(question,), evidence=(passage,))
    texts = ((" ", "Price", "Trade"), ("salt", "Salt has a high price.", ""), ("wind", "", ""))
    spans = [
        Span(id=f"table.{r}.{c}", text=text, **({"kind": "TEXT", "status": "filled"} if r and c else {}))  # type: ignore[arg-type]
        for r, row in enumerate(texts)
        for c, text in enumerate(row)
    ]
    rows = tuple(tuple(f"table.{r}.{c}" for c in range(3)) for r in range(3))
    return state, Block(id="table", kind="table", section="table", about="q1", spans=tuple(spans), rows=rows)


@pytest.mark.parametrize("attributes", [("price", "trade"), ()])
@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("table.0.0", {"text": "Best"}),
        ("table.0.1", {"text": "Proven price"}),
        ("table.1.0", {"text": "sugar"}),
        ("table.1.1", {"kind": "FIXED", "status": "fixed", "text": "Salt is free."}),
        ("table.2.0", {"kind": "TEXT", "status": "filled"}),
    ],
)
def test_a_fixed_cell_that_nobody_asked_for_is_found(
    attributes: tuple[str, ...], place: str, change: dict[str, Any]
) -> None:
    state, table = compared(attributes)
    assert audit._block_problems(table, state) == []
    spans = tuple(s.model_copy(update=change) if s.id == place else s for s in table.spans)
    assert audit._block_problems(table.model_copy(update={"spans": spans}), state)
    swapped = table.model_copy(update={"rows": (table.rows[0], table.rows[2], table.rows[1])})
    assert audit._block_problems(swapped, state)


@pytest.mark.parametrize(
    ("text", "question", "place", "change"),
    [
        ("Year,Toll,Guests\n2019,4,30\n2020,5,41", "How have toll and guests changed?", "table.0.1", {"text": "Fare"}),
        (
            "Year,Toll,Guests\n2019,4,30\n2020,5,41",
            "How have toll and guests changed?",
            "table.0.1",
            {"text": "Guests"},
        ),
        ("Year,Toll,Guests\n2019,4,30\n2020,5,41", "How have toll and guests changed?", "table.1.1", {"kind": "FIXED"}),
        ("Pier,2019,2020\nElm,4,30\nOak,5,41", "How have elm and oak changed?", "table.1.0", {"text": "2020"}),
    ],
)
def test_a_table_over_time_under_other_names_is_found(
    text: str, question: str, place: str, change: dict[str, Any]
) -> None:
    state = asked(question, table(text, "Inn"))
    block = state.draft.block("table")
    assert block is not None
    assert audit._block_problems(block, state) == []
    forged = tuple(s.model_copy(update=change) if s.id == place else s for s in block.spans)
    assert audit._block_problems(block.model_copy(update={"spans": forged}), state)


def test_cells_of_two_rows_in_one_are_found() -> None:
    state = asked("How have toll and guests changed?", table("Year,Toll,Guests\n2019,4,30\n2020,5,41", "Inn"))
    block = state.draft.block("table")
    assert block is not None
    held = {s.id: s for s in block.spans}
    turned = {"table.1.2": "table.2.2", "table.2.2": "table.1.2"}
    spans = tuple(held[turned.get(s.id, s.id)].model_copy(update={"id": s.id}) for s in block.spans)
    problems = audit._block_problems(block.model_copy(update={"spans": spans}), state)
    assert any("of several records" in problem for problem in problems)


TURNED = "Measure,Elm mill,Ash\nWheel at high water,9 turns,7 turns\nWheel at low water,4 turns,5 turns\nToll,30,none"


def side_by_side(text: str, attribute: str) -> tuple[ResearchState, Block]:
    held, asked_for = table(text, "Mills"), f"Compare Elm mill and Ash by {attribute}."
    question = SubQuestion(
        id="q1", text=asked_for, asked=asked_for, form="comparison", things=("Elm mill", "Ash"), attributes=(attribute,)
    )
    rows = comparing.compared(asked_for, question.things, (attribute,), [held], lambda words, columns: "")
    state = ResearchState(question=asked_for, questions=(question,), evidence=held.passages)
    state, _ = forms.table(state, TopicReader(), question, question.attributes, [], [], rows)
    block = state.draft.block("table")
    assert block is not None
    return state, block


def cell_problems(state: ResearchState, block: Block, **change: Any) -> list[str]:
    """What is wrong with a table whose first cell is changed, as it is and by what its words rest on."""
    cell = next(s for s in block.spans if s.id == "table.1.1").model_copy(update=change)
    spans = tuple(cell if s.id == cell.id else s for s in block.spans)
    texts = {p.source.id: p.text for p in state.passages}
    problems = audit._span_problems(cell, state, texts, written=False, is_cell=True)
    return [*problems, *audit._block_problems(block.model_copy(update={"spans": spans}), state)]


@pytest.mark.parametrize(
    ("text", "attribute"), [(TURNED, "wheel"), ("Mill,Toll 2023,Toll 2024\nElm mill,30,31\nAsh,20,21", "toll")]
)
def test_a_cell_of_several_values_says_them_under_their_own_names(text: str, attribute: str) -> None:
    state, block = side_by_side(text, attribute)
    cells = {s.id: s for s in block.spans}
    one, two = cells["table.1.1"], cells["table.2.1"]
    assert one.text.count("; ") == 1
    assert cell_problems(state, block) == []
    assert cell_problems(state, block, text=one.text.replace("; ", "; not "))
    assert cell_problems(state, block, support=one.support[:2])
    first, *others = one.support
    crossed = (others[1], others[0], first, others[2])  # the name of the one value ahead of the other
    assert cell_problems(state, block, support=crossed, text=copied_words([s.quote for s in crossed]))
    assert cell_problems(state, block, support=two.support, text=two.text), "it is the cell of the other mill"


def test_pairs_are_said_by_cells_of_a_comparison_alone_and_no_cell_is_emptied() -> None:
    state, block = side_by_side(TURNED, "wheel")
    cell = next(s for s in block.spans if s.id == "table.1.1")
    texts = {p.source.id: p.text for p in state.passages}
    assert audit_tables.is_compared(block, state)
    assert not audit_tables.is_compared(block.model_copy(update={"kind": "answer"}), state)
    others = state.model_copy(
        update={"questions": tuple(q.model_copy(update={"form": "list"}) for q in state.questions)}
    )
    assert not audit_tables.is_compared(block, others)
    assert audit._span_problems(cell, state, texts, written=False, is_cell=True) == []
    assert audit._span_problems(cell, state, texts, written=False)
    for support in (cell.support, cell.support[:1]):
        empty = cell.model_copy(update={"text": "", "support": support})
        assert audit._span_problems(empty, state, texts, written=False, is_cell=True)


def test_a_single_value_of_a_row_is_said_under_its_name() -> None:
    state, block = side_by_side(TURNED, "toll")
    assert [s.text for s in block.spans if s.support] == ["Toll: 30", "Toll: none"]
    assert cell_problems(state, block) == []


def edited(words: list[str], person: int) -> Block:
    quote = "The barge Marisa does not reach 12 knots on Lake Orta."
    support = Support(passage="p", quote=quote, start=0, end=len(quote))
    spans = [Span(id=f"c1.{n}", text=text, person=n == person) for n, text in enumerate(words)]
    cite = Span(id="c1.cite", text="", kind="CITE", role="citation", status="filled", support=(support,))
    return Block(id="c1", kind="statement", section="findings", spans=(*spans, cite))


def test_words_of_relation_beside_a_persons_words_are_the_sources() -> None:
    """A "not" that goes, comes or moves changes what is said, and holds no name or figure by which it would be missed."""
    said = [p.text for p in parts("The barge Marisa does not reach 12 knots on Lake Orta.", 0)]
    at = said.index("12 knots")
    own = [*said[:at], "thirteen knots", *said[at + 1 :]]
    assert audit._edited_problems(edited(own, at)) == []
    for forged in (
        [w.replace("does not reach", "does reach") for w in own],
        [w.replace(" on ", " never on ") for w in own],
    ):
        assert audit._edited_problems(edited(forged, at))
    assert audit._edited_problems(edited([w for w in own if w != " on "], at))
    more = edited(own, at)
    stray = Span(id="c1.more", text=" Everyone agrees.")
    assert audit._edited_problems(more.model_copy(update={"spans": (*more.spans, stray)}))
    assert audit._edited_problems(more.model_copy(update={"spans": more.words}))


# The calls to services, and heads that were kept


def call(run: Run) -> None:
    run.calls_file.parent.mkdir(exist_ok=True)
    with run.calls_file.open("a", encoding="utf-8") as out:
        out.write('{"service": "crossref"}\n')


def test_calls_are_what_was_sealed_and_a_version_in_the_making_may_add_to_them(config: Config, tmp_path: Path) -> None:
    run = scripted.finished(config)
    assert verify(run) == []
    call(run)
    forged = "evidence/calls.jsonl is not the file that the log sealed"
    assert verify(run) == [forged]
    (tmp_path / "newer.md").write_text(scripted.NEWER, encoding="utf-8")
    run.calls_file.unlink()
    revising = research.revise(run, [tmp_path / "newer.md"])
    next(revising)
    revising.close()  # type: ignore[attr-defined]
    call(run)
    assert not run.record().current.done
    assert verify(run) == [], "the next version is being written: its sources and calls are no forgery"


def test_the_head_of_a_stopped_report_holds_when_the_run_has_gone_on(config: Config, tmp_path: Path) -> None:
    run = stopped(config, 5)
    kept = seal.head(run.events())
    assert run.record().current.stopped
    list(research.resume(run))
    assert kept not in {e["hash"] for e in run.events()}
    assert verify(run, kept) == []
    anew = Run(Path(shutil.copytree(run.folder, tmp_path / "anew")))
    rechain(anew)
    assert "the log does not hold the head that was kept: it was written anew" in verify(anew, kept)
    aside = run.folder / "stopped.jsonl"
    aside.write_text(aside.read_text(encoding="utf-8").replace('"kind": "finished"', '"kind": "cut"'), encoding="utf-8")
    assert verify(run, kept) == ["the log does not hold the head that was kept: it was written anew"]


def rechain(run: Run) -> None:
    """The whole log with another word in its first line, every hash recomputed."""
    before, lines = seal.START, []
    for number, row in enumerate(run.events()):
        row["text"] += "!" if number == 0 else ""
        row["hash"] = before = seal.link(before, row)
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    run.events_file.write_text("".join(lines), encoding="utf-8")


def test_a_list_of_another_head_or_with_an_entry_of_another_sentence_is_found() -> None:
    state = listed(ScriptedWriter(NAMED), MARISA, CORVO)
    block = state.draft.section("table")[-1]
    assert audit.table_problems(block, state) == []
    head, entry, said = (block.spans[n] for n in (0, 2, 5))

    def problems(changed: Span) -> list[str]:
        spans = tuple(changed if s.id == changed.id else s for s in block.spans)
        return audit.table_problems(block.model_copy(update={"spans": spans}), state)

    assert problems(head.model_copy(update={"text": "Proven"})) == ["table table has another head than a list"]
    (stolen,) = problems(entry.model_copy(update={"support": said.support}))
    assert "'Marisa' that the sentence beside it does not hold" in stolen


def test_a_line_that_quotes_a_source_says_what_it_cites() -> None:
    """ "What the question takes for granted may not hold" shows a sentence of a source, and every shown sentence is held."""
    said = "The Orta mill opened in 1990."
    support = Support(passage="p", quote=said, start=0, end=len(said))
    state = ResearchState(question="?")
    line = blocks.line("open.premise", "open", f"It may not hold: “Orta mill” says “{said}”", support)
    assert audit._block_problems(line, state) == []
    forged = blocks.line("open.premise", "open", "It may not hold: “Orta mill” says “The Orta mill closed.”", support)
    assert audit._block_problems(forged, state) == [f"line open.premise does not say what it cites: {said!r}"]


def test_a_mark_on_a_name_that_leads_nowhere_is_found() -> None:
    state = answered(Hopping(0.9, "Pietro Canale"))
    assert list(audit._chain_problems(state)) == []
    hop = state.draft.block("q1.hop")
    assert hop is not None
    other = next(s for s in hop.spans if s.kind == "ENTITY" and not s.leads)
    forged = [s.model_copy(update={"leads": s.id == other.id}) for s in hop.spans]
    swapped = state.model_copy(update={"draft": state.draft.replace(forged)})
    assert any("q1.hop" in p for p in audit._chain_problems(swapped))
