"""Questions of two looks: what is read with both passages on one canvas, when nothing is, and the chain under the answer."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from palimpsest.agent import hops
from palimpsest.agent.numbers import Numbers, probability
from palimpsest.agent.state import Budget, Candidate, ResearchState, Together
from palimpsest.agent.writer import ModelWriter
from palimpsest.retrieval.types import Passage
from palimpsest.workflows.rendering import html

from .world import ScriptedWriter, Shelf, finish, passage, report, tools

RACE = passage("The winner of the Orta race, the barge Marisa, was rowed by Livia. A crowd came.", "Orta race")
BARGE = passage("Marisa is a barge. Marisa was designed by Pietro Canale in Pella.", "Marisa (barge)")
OTHER = passage("The Orta race was designed by Bruno Ferri.", "History")
QUESTION = "Who designed the winner of the Orta race?"


class Hopping(ScriptedWriter):
    """Reads the other designer in each passage alone, and with all of them on one canvas what it is told to."""

    def __init__(self, several: float, said: str, none: float = 0.0):
        super().__init__({"designed": r"race was designed by (\w+ \w+)"})
        self.several, self.said, self.none = several, said, none
        self.shown: list[list[str]] = []

    def hops(self, question: str) -> float:
        return self.several

    def together(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> Together:
        self.shown.append([p.source.title for p in passages])
        held = next((p for p in passages if self.said in p.text), None)
        if held is None:
            return Together(none=self.none)
        start = held.start + held.text.index(self.said)
        read = Candidate(text=self.said, passage=held.id, start=start, end=start + len(self.said), probability=0.6)
        return Together(answers=(read,), none=self.none)


def answered(writer: Hopping) -> ResearchState:
    return finish(ResearchState(question=QUESTION, budget=Budget()), tools(writer, Shelf(RACE, BARGE, OTHER)))[1]


def answer(state: ResearchState) -> str:
    place = state.draft.span("q1.answer")
    return place.text if place.status == "filled" else ""


def test_what_both_ends_of_a_chain_say_together_is_the_answer() -> None:
    writer = Hopping(0.9, "Pietro Canale")
    assert answer(answered(writer)) == "Pietro Canale"
    assert {"Orta race", "Marisa (barge)"} <= set(writer.shown[-1])


def test_a_question_of_one_look_is_not_read_so() -> None:
    writer = Hopping(0.4, "Pietro Canale")
    assert answer(answered(writer)) == "Bruno Ferri"
    assert writer.shown == []


def test_where_nothing_is_likelier_than_any_answer_none_is_written() -> None:
    assert answer(answered(Hopping(0.9, "Pietro Canale", none=0.59))) == "Pietro Canale"
    state = answered(Hopping(0.9, "Pietro Canale", none=0.61))
    assert answer(state) == ""
    assert "Not established" in report(state)


def test_an_answer_whose_chain_speaks_of_too_little_of_what_is_asked_is_not_written() -> None:
    """The designer of another barge was given for that of the winner, where the passage that leads from one to the other lacked."""
    writer = Hopping(0.9, "Pietro Canale")
    asked = "Who designed the barge that Livia and the crew of the salt mill rowed to victory in the great autumn race of Orta?"
    kept = finish(ResearchState(question=asked, budget=Budget()), tools(writer, Shelf(BARGE, OTHER)))[1]
    assert answer(kept) == ""
    assert "no chain of sources speaks of enough of it: Pietro Canale" in report(kept)
    whole = finish(ResearchState(question=asked, budget=Budget()), tools(writer, Shelf(RACE, BARGE, OTHER)))[1]
    assert answer(whole) == "Pietro Canale"


def test_an_answer_written_before_nothing_was_likelier_is_opened_as_unsure() -> None:
    writer = Hopping(0.9, "Pietro Canale")
    kept = writer.together

    def later(question: str, kind: str, passages: Sequence[Passage], k: int) -> Together:
        found = kept(question, kind, passages, k)
        return found if len(writer.shown) == 1 else found.model_copy(update={"none": 0.9})

    writer.together = later  # type: ignore[method-assign]
    more = passage("Marisa lies in Pella, where the winner of the race was designed long ago.", "Pella")
    shelf = Shelf(RACE, BARGE, OTHER, more)
    first = list(shelf.passages[:3])

    def search(queries: Sequence[str], k: int) -> object:
        shelf.passages = tuple(first) if not shelf.history else (*first, more)
        return Shelf.__call__(shelf, queries, k)

    state = finish(ResearchState(question=QUESTION, budget=Budget()), tools(writer, search))[1]  # type: ignore[arg-type]
    assert answer(state) == ""
    assert [(r.old, r.new, r.reason) for r in state.revisions] == [("Pietro Canale", "", "unsure")]


def test_the_chain_is_shown_with_the_name_that_leads_on() -> None:
    state = answered(Hopping(0.9, "Pietro Canale"))
    section = [b for b in state.draft.section("answer.q1") if b.kind == "quotation"]
    assert section[0].id == "q1.hop"
    assert section[0].text == "The winner of the Orta race, the barge Marisa, was rowed by Livia."
    assert [s.text for s in section[0].spans if s.leads] == ["Marisa"]
    assert section[1].text == "Marisa was designed by Pietro Canale in Pella."
    said = report(state)
    assert "> The winner of the Orta race, the barge **Marisa**, was rowed by Livia. [" in said
    assert said.index("barge **Marisa**") < said.index("> Marisa was designed by Pietro Canale")
    assert "<strong>Marisa</strong>" in html.render(state, "")


def test_no_chain_is_shown_where_the_answers_source_speaks_of_all_that_is_asked() -> None:
    whole = passage("Pietro Canale designed the winner of the Orta race.", "Canale")
    writer = Hopping(0.9, "Pietro Canale")
    state = finish(ResearchState(question=QUESTION, budget=Budget()), tools(writer, Shelf(whole, RACE, BARGE)))[1]
    assert answer(state) == "Pietro Canale"
    assert state.draft.block("q1.hop") is None


@pytest.fixture(scope="module")
def writer() -> ModelWriter:
    return ModelWriter("embedded")


def test_the_model_reads_all_passages_on_one_canvas_and_gives_places_of_their_texts(writer: ModelWriter) -> None:
    found = writer.together(QUESTION, "TEXT", [RACE, BARGE, OTHER], 6)
    held = {p.id: p for p in (RACE, BARGE, OTHER)}
    assert found.answers
    for c in found.answers:
        own = held[c.passage]
        assert own.text[c.start - own.start : c.end - own.start].casefold() == c.text.casefold()
    assert 0 <= found.none < 1
    assert writer.hops("Who designed the barge that won the race on the lake where Livia was born?") > 0.5
    assert writer.hops("who won the orta race") < 0.5


def test_the_chance_of_an_answer_read_with_all_hops_together_is_turned_and_no_other() -> None:
    numbers = Numbers(hop_slope=0.5, hop_offset=-1.0)
    hopped, plain = answered(Hopping(0.9, "Pietro Canale")), answered(Hopping(0.4, "Pietro Canale"))
    assert hops.chance(hopped, numbers, "q1", 2.0) == pytest.approx(0.5)
    assert hops.chance(plain, numbers, "q1", 2.0) == pytest.approx(probability(2.0))
