from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.agent.draft import Kind
from palimpsest.agent.forms import (
    alternatives,
    asked_kind,
    clusters,
    content,
    is_superlative,
    parts,
    resolved,
    same_answer,
    sentences,
    subquestions,
    within_kind,
    without_lead,
)
from palimpsest.agent.state import Candidate, Filled

from .world import passage


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Who designed the Eiffel Tower?", [("Who designed the Eiffel Tower?", "TEXT", ())]),
        (
            "What is the fastest barge, and how many knots does it reach?",
            [("What is the fastest barge?", "TEXT", ()), ("How many knots does {q1} reach?", "NUMBER", ("q1",))],
        ),
        ("What is A? And where is B?", [("What is A?", "TEXT", ()), ("Where is B?", "TEXT", ())]),
        ("rock and roll history", [("Rock and roll history?", "TEXT", ())]),
        (
            "Which firm built it and what is its age?",
            [("Which firm built it?", "TEXT", ()), ("What is {q1}'s age?", "TEXT", ("q1",))],
        ),
    ],
)
def test_subquestions(question: str, expected: list) -> None:
    assert [(q.text, q.kind, q.depends_on) for q in subquestions(question)] == expected


def test_the_first_question_word_decides_the_kind() -> None:
    """ "Where was he headed when he died" once asked for a figure, for the "when" in it."""
    assert asked_kind("Where was he headed when he died?") == "TEXT"
    assert asked_kind("In what year was the canal dug?") == "NUMBER"
    assert asked_kind("when was it dug") == "NUMBER"


def test_a_question_may_offer_a_choice() -> None:
    assert alternatives("Which film came first, Day of the Fight or Flying Padre?") == [
        "Day of the Fight",
        "Flying Padre",
    ]
    assert alternatives("Who dug the canal?") == []


@pytest.mark.parametrize(
    ("question", "second"),
    [
        ("Who built the Marisa, and when was it launched?", "When was the Marisa launched?"),
        ("Who built the Marisa, and where did he live?", "Where did {q1} live?"),
        ("When did Pietro Canale die, and which island did he rule?", "Which island did Pietro Canale rule?"),
        ("Which firm makes LLaDA, and where is it based?", "Where is {q1} based?"),
    ],
)
def test_what_a_pronoun_stands_for(question: str, second: str) -> None:
    """ "What island did 1203 rule?" was once asked, after "When did he die?"."""
    assert subquestions(question)[1].text == second


def test_a_dependent_question_waits_for_its_answer() -> None:
    second = subquestions("What is the fastest barge, and how many knots does it reach?")[1]
    assert resolved(second, {}) is None
    assert resolved(second, {"q1": "Marisa"}) == "How many knots does Marisa reach?"


def test_sentences_survive_figures_names_and_lists() -> None:
    text = "# Head\n\nIt cost 3.5 million, said Dr. Smith. dInfer is next.\n- an item\n"
    assert [text[a:b] for a, b in sentences(text)] == [
        "Head",
        "It cost 3.5 million, said Dr. Smith.",
        "dInfer is next.",
        "an item",
    ]


@given(st.text(alphabet="Ab1 .,-%$x", max_size=60), st.integers(0, 1000))
def test_parts_are_the_whole_sentence(text: str, offset: int) -> None:
    found = parts(text, offset)
    assert "".join(p.text for p in found) == text
    assert all(text[p.start - offset : p.end - offset] == p.text for p in found)


def test_ten_copies_of_one_text_are_one_voice() -> None:
    release = "The new engine of the Marisa barge reaches seventeen knots on the calm lake in the early morning"
    copies = [passage(f"{release} ({n})") for n in range(10)]
    other = passage("A reporter measured sixteen knots from the shore with a stop watch and two poles on a windy day")
    assert len(set(clusters([*copies, other]).values())) == 2


def test_small_words() -> None:
    assert content("The tokens of a Model") == {"token", "model"}
    assert same_answer("Gustave Eiffel", "Eiffel")
    assert not same_answer("Eiffel", "Sauvestre")
    assert is_superlative("the fastest open model is X")
    assert not is_superlative("the model has 32 layers")


@pytest.mark.parametrize("question", ["What does {x} mean?", "What is {} in Python?", "Who wrote {"])
def test_braces_in_a_question_are_just_text(question: str) -> None:
    """They were once filled in with the answers of other questions, and the run died."""
    assert resolved(subquestions(question)[0], {}) == question.rstrip("?") + "?"


def test_a_sentence_keeps_its_sign() -> None:
    text = "-5 degrees were measured on the lake."
    assert [text[a:b] for a, b in sentences(text)] == [text]


def test_a_sentence_may_begin_with_any_letter() -> None:
    text = "It closed in 1902. Émile left. Łukasz came, approx. three days later."
    assert [text[a:b] for a, b in sentences(text)] == [text[:18], "Émile left.", text[31:]]


def test_a_sentence_keeps_its_closing_quote() -> None:
    text = "He said “Go.” Then he left."
    assert [text[a:b] for a, b in sentences(text)] == ["He said “Go.”", "Then he left."]


def test_a_figure_in_brackets_is_the_sources_own_citation() -> None:
    found = parts("It reaches 12 knots [3], others 9 [4, 5].", 0)
    assert [p.text for p in found if p.kind == "NUMBER"] == ["12", "9"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [("is £1.50", "£1.50"), ("was by Canale", "Canale"), ("Of Mice and Men", "Of Mice and Men"), ("is", "is")],
)
def test_an_answer_begins_with_itself(text: str, kept: str) -> None:
    found = without_lead(Candidate(text=text, passage="p", start=7, end=7 + len(text), probability=0.5))
    assert (found.text, found.start, found.end) == (kept, 7 + len(text) - len(kept), 7 + len(text))


@pytest.mark.parametrize(
    ("text", "kind", "kept"),
    [
        ("is £1.90", "NUMBER", "£1.90"),
        ("the Marisa of", "ENTITY", "Marisa"),
        ("Freeman Fox & Partners", "ENTITY", "Freeman Fox & Partners"),
        ("no name", "ENTITY", "no name"),
    ],
)
def test_a_place_takes_words_of_its_kind(text: str, kind: Kind, kept: str) -> None:
    """The sentence once read: the toll for cars is is £1.90."""
    filled = Filled(text=text, passage="p", start=7, end=7 + len(text), probability=0.5, none=0.0, steps=1)
    at = text.index(kept)
    cut = within_kind(filled, kind)
    assert (cut.text, cut.start, cut.end) == (kept, 7 + at, 7 + at + len(kept))


def test_a_heading_keeps_the_pronoun_that_was_asked() -> None:
    """It once said "When did it write it?"."""
    told = [q.asked for q in subquestions("Who wrote the first program, and when did she write it?")]
    assert told == ["Who wrote the first program?", "When did she write it?"]
    assert subquestions("Who built the Marisa, and when was it launched?")[1].asked == "When was the Marisa launched?"
