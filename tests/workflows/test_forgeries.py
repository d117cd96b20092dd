"""A finished run that somebody forged is found out, whatever file is changed, alone or with all that is written from it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.agent.draft import Block, Span, Support
from palimpsest.agent.state import Event, ResearchState
from palimpsest.workflows import audit, export, research, seal
from palimpsest.workflows.audit import verify
from palimpsest.workflows.config import Config
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.runs import Run
from tests.workflows import scripted


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a revision and a conflict."""
    patch, folder = pytest.MonkeyPatch(), tmp_path_factory.mktemp("honest")
    scripted.use(patch.setattr)
    docs = scripted.lay_documents(folder / "docs")
    config = Config(docs=(docs,), out=folder / "runs", index=folder / "index")
    run = scripted.finished(config)
    newer = folder / "newer.md"
    newer.write_text(scripted.NEWER, encoding="utf-8")
    list(research.revise(run, [newer]))
    patch.undo()
    return run


@pytest.fixture
def run(honest: Run, tmp_path: Path) -> Run:
    return Run(Path(shutil.copytree(honest.folder, tmp_path / honest.folder.name)))


def swap(run: Run, name: str, pattern: str, new: str) -> None:
    path = run.folder / name
    text = path.read_text(encoding="utf-8")
    changed = re.sub(pattern, new, text, count=1)
    assert changed != text, f"{name} has nothing like {pattern}"
    path.write_text(changed, encoding="utf-8")


def rewrite(run: Run) -> None:
    """What a forger does who has the program: every file written anew from what lies there now."""
    state = run.state(2)
    for name, text in export.derived(run.record(), state, seal.head(run.events())).items():
        (run.folder / name).write_text(text, encoding="utf-8")


def redraft(run: Run, change: Callable[[dict[str, Any]], object]) -> None:
    path = run.folder / "drafts" / "2.json"
    state = json.loads(path.read_text(encoding="utf-8"))
    change(state)
    path.write_text(ResearchState.model_validate(state).model_dump_json() + "\n", encoding="utf-8")
    rewrite(run)


def span(state: dict[str, Any], name: str) -> dict[str, Any]:
    return next(s for block in state["draft"]["blocks"] for s in block["spans"] if s["id"] == name)


def without_conflicts(state: dict[str, Any]) -> None:
    state["conflicts"] = []
    state["draft"]["blocks"] = [b for b in state["draft"]["blocks"] if b["section"] != "conflicts"]


def without_words(state: dict[str, Any]) -> None:
    """A quotation whose words and citation went: its block is empty."""
    quoted = next(b for b in state["draft"]["blocks"] if b["kind"] == "quotation")
    quoted["spans"] = []


def invented(state: dict[str, Any]) -> None:
    words = {"id": "x.0", "text": "Everyone agrees that the barge is unsafe."}
    block = {"id": "x", "kind": "statement", "section": "findings", "spans": [words]}
    state["draft"]["blocks"].insert(3, block)


FILES = [
    ("report.md", "17 knots", "18 knots"),
    ("report.md", r"(?m)^> .+\n", ""),
    ("report.md", r"\[3\]", "[1]"),
    ("report.md", r"\(one source[^)]*\)", "(three independent sources)"),
    ("report.html", "17", "18"),
    ("report.html", "Where sources disagree", "Notes"),
    ("report.json", "17", "18"),
    ("references.bib", r"year = \{(\d+)\}", "year = {1999}"),
    ("references.bib", r"title = \{[^}]+\}", "title = {The other guide}"),
    ("evidence/passages.jsonl", "Marisa", "Tolomeo"),
    ("evidence/passages.jsonl", r'"end":\d+', '"end":1'),
    ("evidence/sources.json", r'"title": "[^"]+"', '"title": "Another"'),
    ("evidence/sources.json", r'"date": "[^"]+"', '"date": "2029-01-01"'),
    ("revisions.jsonl", r'"reason":"\w+"', '"reason":"person"'),
    ("revisions.jsonl", r"(?s).*", ""),
    ("drafts/2.json", r'"status":"held"', '"status":"refuted"'),
    ("drafts/2.json", r'"belief":-?\d+\.\d+', '"belief":3.25'),
    ("drafts/1.json", r"12 knots", "13 knots"),
    ("run.json", r'"question": "[^"]+"', '"question": "Which barge is slow?"'),
    ("run.json", r'"model": "scripted"', '"model": "GSAI-ML/LLaDA-8B-Instruct"'),
    ("run.json", r'"created": "\d{4}', '"created": "2021'),
    ("events.jsonl", r'"text": "\w+', '"text": "Never'),
    ("inputs/2/newer.md", "17", "18"),
]


def test_an_honest_run_holds(run: Run) -> None:
    assert verify(run) == []


@pytest.mark.parametrize(("name", "pattern", "new"), FILES)
def test_a_file_changed_alone_is_found(run: Run, name: str, pattern: str, new: str) -> None:
    swap(run, name, pattern, new)
    assert verify(run)


@pytest.mark.parametrize("name", sorted({n for n, _, _ in FILES} - {"run.json"}))
def test_a_file_taken_away_is_found(run: Run, name: str) -> None:
    (run.folder / name).unlink()
    if name.startswith("drafts"):
        with pytest.raises(ResearchError, match="is not finished"):
            verify(run)
    else:
        assert verify(run)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: span(s, "c1~1.5").update(text="71"),
        lambda s: span(s, "q2.answer").update(text="71"),
        lambda s: span(s, "c1~1.cite").update(support=span(s, "conflict.1.other")["support"]),
        lambda s: span(s, "conflict.1.reason").update(text="Kept: the older source."),
        lambda s: span(s, "q1.standing").update(text="nine independent sources"),
        lambda s: s.update(question="How slow is the fastest barge?"),
        without_conflicts,
        without_words,
        invented,
    ],
)
def test_a_draft_changed_with_all_that_is_written_from_it_is_found(
    run: Run, change: Callable[[dict[str, Any]], object]
) -> None:
    redraft(run, change)
    assert any("is not the state that the log sealed" in p for p in verify(run))


@pytest.mark.parametrize("field", ["question", "model"])
def test_a_record_changed_with_the_report_is_found(run: Run, field: str) -> None:
    swap(run, "run.json", rf'"{field}": "[^"]+"', f'"{field}": "another"')
    rewrite(run)
    assert any(p.startswith("run.json is not the record") for p in verify(run))


@pytest.mark.parametrize("what", ["out", "twice", "swapped"])
def test_rows_of_the_log_are_found(run: Run, what: str) -> None:
    rows = run.events_file.read_text(encoding="utf-8").splitlines(keepends=True)
    rows[2:4] = {"out": [rows[3]], "twice": [rows[2], rows[2], rows[3]], "swapped": [rows[3], rows[2]]}[what]
    run.events_file.write_text("".join(rows), encoding="utf-8")
    line = 4 if what == "twice" else 3
    assert f"line {line} of events.jsonl does not follow from the line before it" in verify(run)


def test_who_recomputes_the_whole_chain_is_found_by_a_head_kept_elsewhere(run: Run) -> None:
    kept = seal.head(run.events())
    assert verify(run, kept) == []
    redraft(run, lambda s: span(s, "q1.standing").update(text="nine independent sources"))
    rows, record = run.events(), run.record()
    text = (run.folder / "drafts" / "2.json").read_text(encoding="utf-8")
    before, lines = seal.START, []
    for row in rows:
        if row["kind"] == "sealed" and row["version"] == 2:
            row["data"] = seal.sealed(run, record, 2, text).data
        row["hash"] = before = seal.link(before, row)
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    run.events_file.write_text("".join(lines), encoding="utf-8")
    rewrite(run)
    assert verify(run) == [], "what verification cannot exclude, as the README says"
    assert verify(run, kept) == ["the log does not hold the head that was kept: it was written anew"]


def test_a_second_seal_behind_the_first_is_found_though_the_head_that_was_kept_is_there(run: Run) -> None:
    kept = seal.head(run.events())
    redraft(run, lambda s: span(s, "q1.standing").update(text="nine independent sources"))
    rows, record = run.events(), run.record()
    text = (run.folder / "drafts" / "2.json").read_text(encoding="utf-8")
    again = {**rows[-1], "n": rows[-1]["n"] + 1, "data": seal.sealed(run, record, 2, text).data}
    again["hash"] = seal.link(rows[-1]["hash"], again)
    with run.events_file.open("a", encoding="utf-8") as log:
        log.write(json.dumps(again, ensure_ascii=False) + "\n")
    rewrite(run)
    assert "the log goes on with version 2 after it was sealed" in verify(run, kept)


def test_a_part_of_a_quotation_cannot_be_excused_by_its_first_words(run: Run) -> None:
    state = run.state(2)
    quoted = next(b for b in state.draft.blocks if b.kind == "quotation" and len(b.words) > 1)
    first, *others = quoted.spans
    excused = first.model_copy(update={"status": "unestablished", "text": "Nobody says that "})
    assert audit._block_problems(quoted, state) == []
    assert audit._block_problems(quoted.model_copy(update={"spans": (excused, *others)}), state)


@pytest.mark.parametrize("change", ["pinned", "fixed", "more"])
def test_an_answer_is_checked_whatever_its_status_and_however_many_its_words(run: Run, change: str) -> None:
    state = run.state(2)
    answer = next(b for b in state.draft.blocks if b.kind == "answer" and b.words[0].status == "filled")
    assert audit._block_problems(answer, state) == []
    place, *others = answer.spans
    forged = place.model_copy(
        update={"text": "99 knots", "status": "fixed" if change == "fixed" else "pinned", "support": ()}
    )
    more = Span(id="q1.more", text=", or so", status="fixed")
    spans = (place, more, *others) if change == "more" else (forged, *others)
    assert audit._block_problems(answer.model_copy(update={"spans": spans}), state)


def test_the_id_of_a_source_leads_nowhere_else(run: Run) -> None:
    with pytest.raises(ResearchError, match="is no source's id"):
        run.text_file("../../../secret")


def test_a_report_alone_is_checked_as_far_as_it_goes(run: Run) -> None:
    report = run.report.read_text(encoding="utf-8")
    assert audit.check_report(report) == []
    assert "citation [9] names no source" in audit.check_report(report.replace("knots. [3]", "knots. [9]"))
    assert audit.check_report(report.replace("log: ", "logged: ")) == ["the front matter holds no head of a log"]
    assert audit.compare(run, report) == []
    assert audit.compare(run, report.replace("17", "18")) == ["the report is not one that this run gives"]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=8), min_size=2, max_size=6), st.data())
def test_any_change_of_any_line_breaks_the_chain(texts: list[str], data: st.DataObject) -> None:
    before, rows = seal.START, []
    for n, text in enumerate(texts):
        line: dict[str, Any] = {"version": 1, "n": n, **Event(step="plan", kind="planned", text=text).model_dump()}
        line["hash"] = before = seal.link(before, line)
        rows.append(line)
    assert seal.broken(rows) is None
    at = data.draw(st.integers(0, len(rows) - 1))
    forged = [dict(r) for r in rows]
    forged[at]["text"] += data.draw(st.text(min_size=1, max_size=3))
    assert seal.broken(forged) == at + 1


def test_a_statement_may_name_nothing_that_it_does_not_cite() -> None:
    """Its fixed words are the program's; a name or figure in them must stand in what it cites."""
    support = Support(passage="p", quote="The Marisa reaches 17 knots.", start=0, end=28)
    slot = Span(id="s.1", text="17 knots", kind="NUMBER", status="filled", support=(support,))

    def problems(words: str) -> list[str]:
        block = Block(id="s", kind="statement", section="findings", spans=(Span(id="s.0", text=words), slot))
        return audit._statement_problems(block)

    assert problems("The Marisa now makes ") == []
    assert problems("The Tolomeo now makes ") == ["'Tolomeo' in statement s stands in nothing that it cites"]
    assert problems("In 1999 it made ") == ["'1999' in statement s stands in nothing that it cites"]
