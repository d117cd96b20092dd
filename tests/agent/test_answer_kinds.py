"""What "who" and "where" ask for is no figure and no half sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from palimpsest.agent.answer_kinds import (
    AMOUNT,
    PERSON,
    PLACE,
    THING,
    asks_for_figure,
    fitting,
    holds_figure,
    is_named,
    measure_of,
    suiting,
)
from palimpsest.agent.state import ResearchState
from palimpsest.agent.wording import LinearText
from palimpsest.workflows.calibration import answer_kinds
from palimpsest.workflows.corpus import open_embedder

from .world import ScriptedWriter, Shelf, finish, passage, tools


@pytest.mark.parametrize(
    ("text", "named"),
    [("A native loader", False), ("the Crew", True), ("Ann", True), ("44 to 47", False), ("", False), ("dInfer", True)],
)
def test_a_name_has_a_capital_that_is_no_articles(text: str, named: bool) -> None:
    assert is_named(text) is named


@pytest.mark.parametrize(
    ("question", "fit", "strange"),
    [
        (
            "Who trained LLaDA-8B?",
            ["Ann Ek", "Nordvarm", "the millers", "a team of researchers"],
            ["A native loader", "44 to 47"],
        ),
        ("Where do barges moor?", ["Orta", "the harbour"], ["44 to 47", "by hand, twice"]),
        ("What trained LLaDA-8B?", ["A native loader", "44 to 47"], []),
        ("How was the canal planned?", ["in four steps"], []),
    ],
)
def test_the_shipped_kinds_tell_what_is_no_person_and_no_place(
    question: str, fit: list[str], strange: list[str]
) -> None:
    """ "Who trained LLaDA-8B?" was answered "A native loader"."""
    fits = fitting(answer_kinds(), open_embedder().embed)
    assert fits(question, [*fit, *strange]) == [True] * len(fit) + [False] * len(strange)


@pytest.mark.parametrize(
    ("question", "kind"), [("Who sails it?", PERSON), ("To whom is it sold?", PERSON), ("Where is it?", PLACE)]
)
def test_what_is_less_likely_of_the_kind_than_the_number_is_none_of_it(question: str, kind: str) -> None:
    """A fifth more or less fails."""
    low = answer_kinds().least[kind]
    for share, fit in ((low * 1.05, True), (low * 0.95, False)):
        offsets = [math.log(share if label == kind else 1 - share) for label in (kind, THING)]
        words = LinearText(labels=(kind, THING), offsets=tuple(offsets), weights=((0,), (0,)))
        fitted = answer_kinds().model_copy(update={"words": words})
        assert list(
            fitting(fitted, lambda texts: np.zeros((len(texts), 1), dtype=np.float32))(question, ["of oak"])
        ) == [fit]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("Quay 9", False),
        ("12 MVA", True),
        ("the barge", False),
        ("six locks", True),
        ("the second lock", True),
        ("March 1974", True),
    ],
)
def test_a_figure_in_a_name_is_none(text: str, holds: bool) -> None:
    assert holds_figure(text) is holds


@pytest.mark.parametrize(
    ("question", "is_figure"),
    [
        ("What is the capacity of the reservoir?", True),
        ("What is the throughput of the lock?", True),
        ("What was the attendance of the match?", True),
        ("What is the price of a ticket?", True),
        ("What is the frequency of the trains?", True),
        ("What is the name of the reservoir?", False),
        ("Which firm runs the ferry?", False),
        ("What caused the fire?", False),
        ("Who set the record for attendance?", False),
        ("Where is the highest rate paid?", False),
    ],
)
def test_what_asks_for_a_figure_is_told_by_all_of_its_words(question: str, is_figure: bool) -> None:
    assert asks_for_figure(answer_kinds(), open_embedder().embed, question) is is_figure


def test_a_question_for_a_figure_is_answered_by_none_without_one() -> None:
    """ "What is the capacity of the grid?" was answered by a place."""
    fits = fitting(answer_kinds(), open_embedder().embed)
    assert fits("What is the capacity of the reservoir?", ["Quay 9", "40 million litres", "a pipe"]) == [
        False,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("question", "is_answer"),
    [("What is the capacity of the reservoir?", False), ("What was the date of the flood at Orta?", True)],
)
def test_a_date_is_an_amount_only_of_what_asks_for_a_time(question: str, is_answer: bool) -> None:
    """The date of the memo that told it was given as the capacity."""
    assert fitting(answer_kinds(), open_embedder().embed)(question, ["9 February 2022"]) == [is_answer]


@pytest.mark.parametrize(
    ("text", "said", "kind"),
    [
        ("The kiln cost 900 euros.", "900 euros", "money"),
        ("Of the pots 12 % crack.", "12 %", "share"),
        ("A firing takes 14 hours.", "14 hours", "time"),
        ("The kiln was lit on 3 May 2019.", "3 May 2019", "date"),
        ("The kiln is 2.4 m high.", "2.4 m", "measure"),
        ("It holds 340 pots.", "340 pots", "count"),
        ("It belongs to Ada Lorne.", "Ada Lorne", "no figure"),
    ],
)
def test_the_kind_of_figure_is_told_where_it_stands(text: str, said: str, kind: str) -> None:
    start = text.index(said)
    assert measure_of(text, start, start + len(said)) == kind


@pytest.mark.parametrize(
    ("question", "likelier", "other"),
    [
        ("How much did the kiln cost to build?", "900 euros", "2.4 m"),
        ("What share of the pots cracked in the firing?", "12 %", "900 euros"),
        ("How long does a firing take?", "14 hours", "340 pots"),
        ("How many pots does the kiln hold?", "340 pots", "14 hours"),
        ("Who owns the kiln?", "Ada Lorne", "340 pots"),
    ],
)
def test_a_figure_of_another_kind_suits_a_question_less(question: str, likelier: str, other: str) -> None:
    """ "What did the barrier cost?" was answered with "4 metres"."""
    suits = suiting(answer_kinds(), open_embedder().embed)
    one, two = suits(question, [(said, 0, len(said)) for said in (likelier, other)])
    assert one > two + 1
    assert max(one, two) <= 0


@pytest.mark.parametrize(("times", "is_figure"), [(1.02, True), (0.98, False)])
def test_a_figure_is_asked_for_from_the_probability_on(times: float, is_figure: bool) -> None:
    share = answer_kinds().amount * times
    offsets = [math.log(share), math.log(1 - share)]
    words = LinearText(labels=(AMOUNT, THING), offsets=tuple(offsets), weights=((0,), (0,)))
    fitted = answer_kinds().model_copy(update={"asked": words})
    assert (
        asks_for_figure(fitted, lambda texts: np.zeros((len(texts), 1), dtype=np.float32), "What is it?") is is_figure
    )


def test_what_does_not_fit_is_no_answer() -> None:
    held = passage("The mill of Orta was built by a native loader.", "Mills")

    def none(question: str, answers: Sequence[str]) -> list[bool]:
        return [False] * len(answers)

    writer, shelf = ScriptedWriter({"built": r"by (a native \w+)"}), Shelf(held)
    states = [
        finish(ResearchState(question="Who built the mill of Orta?"), given)[1]
        for given in (tools(writer, shelf), replace(tools(writer, shelf), fits=none))
    ]
    assert [state.draft.span("q1.answer").text for state in states] == ["a native loader", ""]
    assert states[1].graph.answers("q1") == []
