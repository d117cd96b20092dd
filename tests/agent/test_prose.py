"""Prose between anchors: what stands, what may be written, what is opened again, and when the quotation stands instead."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import pytest

from palimpsest.agent import prose
from palimpsest.agent.blocks import quotation
from palimpsest.agent.draft import Block
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.loop import amend
from palimpsest.agent.state import Budget, Event, Piece, ProseError, ResearchState, Tools, Verdict
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.retrieval.types import Passage

from .lake import CREW, QUESTION, SALT, WIND, TopicReader
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage

TOWER = passage("The tower of Orta was built by Pietro Canale in 1901, before two ferries came.", "Tower", "2024")


class Scribe:
    """Writes what is enqueued, a list of gaps a form, else the same `usual` words into every gap; `history` keeps the forms."""

    def __init__(self, *queue: list[str] | Exception | None, usual: str = "stays with"):
        self.queue = deque(queue)
        self.usual = usual
        self.history: list[list[Piece]] = []

    def compose(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[str] | None]:
        return [self._write(list(pieces)) for pieces, _ in forms]

    def _write(self, pieces: list[Piece]) -> list[str] | None:
        self.history.append(pieces)
        wanted = sum(isinstance(p, SlotSpec) for p in pieces)
        words = self.queue.popleft() if self.queue else [self.usual] * wanted
        if isinstance(words, Exception):
            raise words
        return words


def quoted(held: Passage) -> Block:
    return quotation("c1", "section.1", parts(held.text, held.start), held, "c1")


def run(
    scribe: Scribe | None, *held: Passage, writer: ScriptedWriter | None = None
) -> tuple[list[Event], ResearchState]:
    tools = Tools(writer or ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader(), scribe)
    return finish(ResearchState(question=QUESTION, budget=Budget()), tools)


def kinds(state: ResearchState) -> list[str]:
    return [b.kind for b in state.draft.blocks if b.kind in ("quotation", "prose")]


def test_names_figures_and_relations_are_anchors_and_the_words_between_are_open() -> None:
    sentence = prose.scaffold(quoted(TOWER))
    anchors = [p.text for p in sentence.parts if p.support]
    assert anchors == ["Orta", "Pietro Canale", "1901", "before", "two"]
    assert [sentence.parts[n].text for n in sorted(sentence.open)] == [
        "The tower of ",
        " was built by ",
        " in ",
        " ferries came.",
    ]
    for part in sentence.parts:
        assert part.support is None or TOWER.text[part.support.start : part.support.end] == part.text


def test_the_form_keeps_anchors_in_order_and_the_citation_before_the_stop() -> None:
    pieces = prose.form(prose.scaffold(quoted(TOWER)))
    slots = [p for p in pieces if isinstance(p, SlotSpec)]
    assert len(slots) == 4
    assert all(s.free and s.kind is MaskKind.TEXT for s in slots)
    assert "".join(p if isinstance(p, str) else "_" for p in pieces) == "_ Orta_ Pietro Canale_ 1901, before two_ [1]."


def test_a_gap_that_failed_gets_fewer_places() -> None:
    first = prose.scaffold(quoted(TOWER))
    again = prose.filled(first, ["The tower of", "was built by", "in", "ferries came"])
    sizes = [
        [p.max_length for p in prose.form(s) if isinstance(p, SlotSpec)]
        for s in (first, prose.Sentence(again.block, first.parts, first.open, again.tries))
    ]
    assert sizes[1][0] < sizes[0][0]
    assert min(sizes[1]) == 1


GOOD = ["The tower at", "was the work of", "in", "ferries ran"]


def test_what_is_written_stands_between_the_anchors() -> None:
    made = prose.filled(prose.scaffold(quoted(TOWER)), GOOD)
    assert made.text == "The tower at Orta was the work of Pietro Canale in 1901, before two ferries ran."
    assert prose.faults(made, TOWER.text) == {}


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (0, "The tower Marisa at"),  # another name
        (1, "was built in 1899 by"),  # a figure
        (1, "was built for three years by"),  # a figure in letters
        (1, "was built for fourteen years by"),
        (1, "was the fourth work of"),
        (1, "was not built by"),  # a relation turned round
        (2, "² in"),  # a figure that is no digit
        (2, "in 1"),  # grown onto an anchor or not, it is a figure
        (1, "was <b>built</b> by"),
        (1, "was built [2] by"),
        (1, "was built, see https://example.org, by"),
        (1, "was was built by"),  # denoised apart, neighbours say the same
        (1, "was " + "very " * 3 + "carefully and after a great deal of talk that nobody wrote down built by"),
        (0, "Tower of Marisa at"),
    ],
)
def test_what_the_source_does_not_say_is_found_in_its_gap(gap: int, words: str) -> None:
    sentence = prose.scaffold(quoted(TOWER))
    made = prose.filled(sentence, [words if n == gap else text for n, text in enumerate(GOOD)])
    assert set(prose.faults(made, TOWER.text)) == {sorted(sentence.open)[gap]}


def test_a_word_that_joins_two_anchors_into_another_name_is_found() -> None:
    held = passage("The Bank lent England much gold.", "Gold")
    made = prose.filled(prose.scaffold(quoted(held)), ["The", "of", "lost its gold"])
    assert made.text == "The Bank of England lost its gold."
    assert prose.faults(made, held.text)


def test_a_capital_that_opens_the_sentence_is_no_name_when_the_source_has_the_word() -> None:
    held = passage("In 1901 the barge of Pietro Canale sank.", "Barge")
    sentence = prose.scaffold(quoted(held))
    assert prose.faults(prose.filled(sentence, ["By", "the barge of", "sank"]), held.text) == {}
    assert prose.faults(prose.filled(sentence, ["Marisa", "the barge of", "sank"]), held.text)


def test_quotations_of_sections_become_prose_that_cites_what_they_cited() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")
    _, state = run(Scribe(), held, WIND, CREW)
    written = [b for b in state.draft.blocks if b.kind == "prose"]
    assert written
    for block in written:
        cited = block.span("citation")
        assert cited is not None
        assert prose.wrong_with(block) == []
        assert all(s.text == s.support[0].quote for s in block.words if s.support)
    salt = next(b for b in written if "Pietro Canale" in b.text)
    assert salt.text == "Salt stays with Pietro Canale stays with 12 stays with."


def test_without_somebody_to_write_quotations_stand() -> None:
    _, state = run(None, SALT, WIND, CREW)
    assert set(kinds(state)) == {"quotation"}


def test_only_the_gap_that_fails_is_opened_again() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")
    scribe = Scribe(["work gives", "Tolomeo", "lire daily"], ["nearly"])
    _, state = run(scribe, held)
    assert [b.text for b in state.draft.blocks if b.kind == "prose"] == [
        "Salt work gives Pietro Canale nearly 12 lire daily."
    ]
    first, second = scribe.history
    assert sum(isinstance(p, SlotSpec) for p in first) == 3
    assert sum(isinstance(p, SlotSpec) for p in second) == 1


def test_after_two_remaskings_the_quotation_stands_and_it_is_told() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")
    scribe = Scribe(usual="in 1999")
    events, state = run(scribe, held)
    assert kinds(state) == ["quotation"]
    assert len(scribe.history) == 1 + prose.REMASKED
    assert [e for e in events if e.kind == "rolled back" and "1999" in e.text]


def test_what_a_cited_sentence_refutes_is_not_written() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")

    class Refuting(ScriptedWriter):
        def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
            return [Verdict(supports=0.2, refutes=0.7, silent=0.1)] * len(pairs)

    scribe = Scribe()
    _, state = run(scribe, held, writer=Refuting({}))
    assert kinds(state) == ["quotation"]
    assert len(scribe.history) == 3


def test_a_judge_that_was_measured_is_asked_rather_than_the_writer() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")

    class Refuting(ScriptedWriter):
        def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
            return [Verdict(supports=0.1, refutes=0.8, silent=0.1)] * len(pairs)

    for writer, judge, kind in (
        (Refuting({}), ScriptedWriter({}), "prose"),
        (ScriptedWriter({}), Refuting({}), "quotation"),
    ):
        tools = Tools(writer, Shelf(held), NUMBERS, TopicReader(), Scribe(), judge=judge)
        _, state = finish(ResearchState(question=QUESTION, budget=Budget()), tools)
        assert kinds(state) == [kind]


def test_words_without_a_letter_and_sentences_that_break_off_are_opened_again() -> None:
    sentence = prose.scaffold(quoted(TOWER))
    for gap, words in ((1, "."), (1, "stood. It was built by"), (2, "")):
        made = prose.filled(sentence, [words if n == gap else text for n, text in enumerate(GOOD)])
        assert set(prose.faults(made, TOWER.text)) == {sorted(sentence.open)[gap]}


def test_a_writer_that_cannot_be_asked_is_named_and_asked_no_more() -> None:
    scribe = Scribe(ProseError("the writer at http://127.0.0.1:1 answered 500"))
    held = passage(
        "Salt cargo pays Pietro Canale 12 lire. Wind cargo pays old Paolo Neri 9 lire on the lake.", "Salt", "2024"
    )
    events, state = run(scribe, held)
    assert len(scribe.history) == 1
    assert set(kinds(state)) == {"quotation"}
    assert [f.name for f in state.failures] == ["writer"]
    assert any(e.kind == "failed" for e in events)


def test_words_that_a_person_opens_are_written_anew_or_give_way_to_the_quotation() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")
    _, state = run(Scribe(), held)
    block = next(b for b in state.draft.blocks if b.kind == "prose")
    opened = next(s.id for s in block.words if prose.is_written(s))
    amended = amend(state, [], reopen=[opened])
    for scribe, text in (
        (Scribe(usual="rests with"), "Salt rests with Pietro Canale rests with 12 rests with."),
        (None, held.text),
    ):
        _, after = finish(amended, Tools(ScriptedWriter({}), Shelf(held), NUMBERS, TopicReader(), scribe))
        now = after.draft.block(block.id)
        assert now is not None
        assert now.text == text
        assert after.revisions[-1].reason == "person"
        assert set(after.revisions[-1].reopened) == {s.id for s in block.spans}


def test_forged_prose_is_found() -> None:
    held = passage("Salt cargo pays Pietro Canale about 12 lire on the lake.", "Salt", "2024")
    _, state = run(Scribe(), held)
    block = next(b for b in state.draft.blocks if b.kind == "prose")

    def forged(number: int, **change: object) -> list[str]:
        spans = list(block.spans)
        spans[number] = spans[number].model_copy(update=change)
        return prose.wrong_with(block.model_copy(update={"spans": tuple(spans)}))

    gap = next(n for n, s in enumerate(block.words) if prose.is_written(s))
    anchor = next(n for n, s in enumerate(block.words) if s.kind == "NUMBER")
    assert forged(gap, text="Marisa with ")
    assert forged(gap, text="forty ")
    assert forged(anchor, text="13")
    assert forged(anchor, support=(block.words[anchor].support[0].model_copy(update={"passage": "another"}),))
    assert forged(len(block.spans) - 1, support=())
