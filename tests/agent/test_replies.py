"""Replies and the questions that they are to."""

from __future__ import annotations

import pytest

from palimpsest.agent.replies import goes_on_from, is_for_another, replied_to
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.whole import quoted_with, standing
from palimpsest.retrieval.types import Passage, Source

NO = ("No. Trout like ponds.", "But pike, which the miller feeds, do not thrive in a pond.")


def passage(*texts: str, path: tuple[str, ...] = (), before: str | None = None) -> Passage:
    text = " ".join(texts)
    source = Source(id="s", uri="note:s", title="The mill pond: questions", sha256="0" * 64)
    places = tuple((text.index(t), text.index(t) + len(t)) for t in texts)
    return Passage(
        id="s-0", text=text, source=source, start=0, end=len(text), path=path, sentences=places, before=before
    )


def sentence(held: Passage, number: int) -> Sentence:
    return Sentence(held, *held.sentences[number], 1)


def split(text: str) -> list[tuple[int, int]]:
    return [(0, len(text))]


HARM = "Does the pond harm trout?"
CASES = [
    (passage(*NO, path=("Questions", HARM)), HARM),
    (passage(*NO, path=("Questions", HARM), before="s-1"), ""),  # the passage before is in between
    (passage(*NO, path=("Trout",)), ""),
    (passage(*NO), ""),
    (passage("The miller, by noon.", path=("Whom do I ask?",)), "Whom do I ask?"),
    (passage("The miller, by noon.", path=("The miller",)), None),
    (passage("The miller feeds the pike.", path=("Who feeds the pike?",)), None),
]


@pytest.mark.parametrize(("held", "asked"), CASES)
def test_a_reply_is_to_the_heading_it_opens_under(held: Passage, asked: str | None) -> None:
    assert replied_to(held, held.sentences, 0) == asked


def test_a_reply_is_to_the_question_before_it_and_quoted_with_it() -> None:
    held = passage("Whom do I ask?", "The miller, by noon.", "He opens the gate.")
    places = held.sentences
    assert [replied_to(held, places, start) for start, _ in places] == [None, "Whom do I ask?", None]
    whole = standing(Chosen((sentence(held, 1),), 1.0), split)
    assert whole.text == "Whom do I ask? The miller, by noon."


@pytest.mark.parametrize(("held", "asked"), CASES)
def test_a_reply_whose_question_is_not_known_is_not_quoted(held: Passage, asked: str | None) -> None:
    """ "No. Trout like ponds." stood in a report below another question."""
    for number in range(len(held.sentences)):
        assert bool(quoted_with(sentence(held, number), split)) == (asked != "")


@pytest.mark.parametrize(
    ("held", "number", "end", "heading"),
    [
        (passage("moor at the mole", "feed the pike", path=("Do not",)), 1, 1, "Do not"),
        (passage("Barges and mud, 37 %.", path=("What bothers anglers",)), 0, 0, "What bothers anglers"),
        (
            passage("Barges.", "They bother 37 % of anglers.", path=("Findings",)),
            0,
            1,
            "",
        ),  # a heading run into its paragraph
        (passage("Barges bother anglers.", path=("Findings",)), 0, 0, ""),
        (passage("Barges moored on 78 % of days.", path=("Findings",)), 0, 0, ""),
        (passage("Barges and mud, 37 %.", path=("What bothers anglers",), before="s-1"), 0, 0, ""),
        (passage("moor at the mole"), 0, 0, ""),
        (passage("eMill grinds by day.", path=("Mills of Orta",)), 0, 0, ""),  # a name, not a piece
    ],
)
def test_what_goes_on_from_a_heading_is_told_with_it(held: Passage, number: int, end: int, heading: str) -> None:
    """ "use the crane" stood in a report: it was the first of a list below "Do not"."""
    assert goes_on_from(held, held.sentences, held.sentences[number][0], held.sentences[end][1]) == heading


def test_what_replies_to_another_question_is_told_from_what_does_not() -> None:
    held = passage(*NO, "Since 2019 the miller counts the trout.", path=(HARM,))

    def for_another(claim: str) -> list[bool]:
        return [is_for_another(held, held.sentences, start, claim) for start, _ in held.sentences]

    assert for_another("does the pond harm pike.") == [True, True, False]  # what leans on the reply is a part of it
    assert for_another("does the pond of Orta harm trout.") == [False, False, False]
    parted = passage("No.", "Trout like ponds.", NO[1], "Pike do not.", path=(HARM,))
    assert [is_for_another(parted, parted.sentences, start, "does it harm pike.") for start, _ in parted.sentences] == [
        True,
        True,
        True,
        False,
    ]
    unknown = passage(*NO)
    assert is_for_another(unknown, unknown.sentences, 0, "does the pond harm trout.")
