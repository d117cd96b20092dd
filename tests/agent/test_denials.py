"""A sentence that denies what is read in it gives no answer; one that denies something else does."""

from __future__ import annotations

import pytest

from palimpsest.agent import steps
from palimpsest.agent.denials import denied, without_denial
from palimpsest.agent.evidence_text import content
from palimpsest.agent.state import Candidate, ResearchState, SubQuestion, Verdict
from palimpsest.agent.writer import ModelWriter
from palimpsest.retrieval.types import Passage

from .world import NUMBERS, ScriptedWriter, Shelf, passage, report, research, tools

DENYING = [  # question, what is read, a sentence that denies it
    ("Who built the mill?", "Adam Brook", "The mill was not built by Adam Brook."),
    ("Who commanded the garrison?", "Captain Ross", "Captain Ross never commanded the garrison."),
    ("Where is the archive kept?", "Turin", "The archive is no longer kept in Turin."),
    ("What did the council approve?", "the new harbour", "The council did not approve the new harbour."),
    ("What was the aim of the strike?", "higher wages", "The aim of the strike was not higher wages."),
    ("Who won the election?", "Ada Lorne", "Ada Lorne failed to win the election."),
    ("Which metal does the alloy contain?", "lead", "The alloy contains no lead."),
    ("Who wrote the hymn?", "John Fry", "Neither John Fry nor his sister wrote the hymn."),
    ("How long is the canal?", "40 km", "The canal isn't 40 km long."),
    ("What is the sauce thickened with?", "flour", "The sauce is not thickened with flour but with egg."),
]
SAYING = [  # the same kinds of words, which deny something else or nothing
    ("Who built the mill?", "Adam Brook", "The mill, which no longer stands, was built by Adam Brook."),
    ("Who commanded the garrison?", "Captain Ross", "None other than Captain Ross commanded the garrison."),
    ("When did the archive move?", "1931", "The archive did not move until 1931."),
    ("What did the council approve?", "the new harbour", "The council did not hesitate and approved the new harbour."),
    (
        "What was the aim of the strike?",
        "higher wages",
        "The strike aimed not only at higher wages but at shorter days.",
    ),
    ("Who won the election?", "Ada Lorne", "Ada Lorne won the election without a single rally."),
    ("Which metal does the alloy contain?", "tin", "The alloy contains tin and does not rust."),
    ("Who wrote the hymn?", "John Fry", "John Fry wrote the hymn, though he could not sing."),
    ("What is the sauce thickened with?", "egg", "The sauce is not thickened with flour but with egg."),
    ("Which barge never sank?", "Marisa", "Marisa never sank."),
]
MOLASSES = "The Molasses Act of 1733 was not passed for the purpose of raising revenue."


def reading(held: Passage, words: str, probability: float = 0.9) -> Candidate:
    start = held.text.index(words)
    return Candidate(text=words, passage=held.id, start=start, end=start + len(words), probability=probability)


def is_denied(writer: ModelWriter, question: str, words: str, sentence: str) -> bool:
    held = passage(sentence)
    return bool(denied(writer, NUMBERS, question, [(reading(held, words), held)]))


@pytest.fixture(scope="module")
def model() -> ModelWriter:
    return ModelWriter("embedded")


def test_the_model_tells_a_denial_of_the_answer_from_one_of_something_else(model: ModelWriter) -> None:
    """These are others than those that the threshold was set with."""
    caught = [case for case in DENYING if is_denied(model, *case)]
    wrong = [case for case in SAYING if is_denied(model, *case)]
    assert len(caught) >= 8, [case for case in DENYING if case not in caught]
    assert len(wrong) <= 1, wrong


def test_words_of_denial_are_taken_out_and_idioms_that_assert_stay() -> None:
    said = "It was not built by Ann, who never sailed."
    assert content(without_denial(said, 20)) == content("It was built by Ann, who sailed.")
    for said in (
        "Not only Ann but Bo came.",
        "It did not open until 1931.",
        "Nobody but Ann came.",
        "No doubt Ann came.",
    ):
        assert without_denial(said, said.rindex("n")) == said


def test_what_is_denied_ends_where_the_sentence_turns() -> None:
    said = "It was not flour but egg; nobody used milk."
    assert content(without_denial(said, said.index("flour"))) == content("It was flour but egg; nobody used milk.")
    assert without_denial(said, said.index("egg")) == said
    assert content(without_denial(said, said.index("milk"))) == content("It was not flour but egg; used milk.")


def test_a_denied_reading_is_no_answer_and_the_report_says_who_denies_it() -> None:
    held = passage(MOLASSES, "Molasses Act")
    writer = ScriptedWriter({"purpose": r"purpose of (raising revenue)"})
    said, bare = Verdict(supports=0.1, refutes=0.9, silent=0.0), Verdict(supports=0.9, refutes=0.1, silent=0.0)
    writer.enqueue(said, bare, said, bare)
    _, state = research("What was the purpose of the Molasses Act?", writer, Shelf(held))
    assert state.graph.answers("q1") == []
    assert state.draft.span("q1.answer").status == "unestablished"
    assert f"“Molasses Act” denies “raising revenue”: “{MOLASSES}”" in report(state)
    cited = next(b for b in state.draft.section("open") if "denies" in b.text).span("citation")
    assert cited is not None
    assert cited.support[0].quote in MOLASSES


@pytest.mark.parametrize(("sure", "is_said"), [(0.4, False), (0.6, True)])
def test_what_is_hardly_an_answer_is_denied_by_nobody(sure: float, is_said: bool) -> None:
    """ "How was the canal planned?" got sections, and “Canal” denies “to be used to flood the locks”."""

    held = passage(MOLASSES, "Molasses Act")
    writer, text = ScriptedWriter({}), "What was the purpose of the Molasses Act?"
    said, bare = Verdict(supports=0.1, refutes=0.9, silent=0.0), Verdict(supports=0.9, refutes=0.1, silent=0.0)
    writer.enqueue(said, bare, said, bare)
    asked = SubQuestion(id="q1", text=text, asked=text, tentative=True)
    state = ResearchState(question=text, questions=(asked,), evidence=(held,))
    read = [reading(held, "raising revenue", sure)]
    state, kept = steps._not_denied(state, tools(writer, Shelf(held)), asked, text, read)
    assert kept == []
    assert bool(state.notes) == is_said


def test_a_reading_whose_support_does_not_rise_without_the_denial_answers() -> None:
    held = passage("The Molasses Act, never enforced, had the purpose of raising revenue.", "Molasses Act")
    writer = ScriptedWriter({"purpose": r"purpose of (raising revenue)"})
    writer.enqueue(*[Verdict(supports=0.7, refutes=0.2, silent=0.1)] * 4)
    _, state = research("What was the purpose of the Molasses Act?", writer, Shelf(held))
    assert state.draft.span("q1.answer").text == "raising revenue"


def test_without_a_measured_number_nothing_is_judged() -> None:
    held = passage(MOLASSES)
    writer = ScriptedWriter({})
    assert (
        denied(writer, NUMBERS.model_copy(update={"denial": 0.0}), "What for?", [(reading(held, "revenue"), held)])
        == []
    )
    assert writer.history == []
