"""What a report says of its question: the future, taste, names of several things."""

from __future__ import annotations

import pytest

from palimpsest.agent.limits import senses
from palimpsest.agent.state import ResearchState, Tools

from .lake import CREW, SALT, WIND, TopicReader, run
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report

LAKE = passage("Orta is a lake. Barges cross Orta with salt.", "Orta (lake)", "2024")
BARGE = passage("Orta is a barge of salt. She sank in March.", "Orta (barge)", "2023")


def asked(question: str) -> str:
    tools = Tools(ScriptedWriter({}), Shelf(LAKE, BARGE, SALT, WIND), NUMBERS, TopicReader())
    return report(finish(ResearchState(question=question), tools)[1])


def test_the_future_is_said_with_the_newest_source() -> None:
    shown = asked("Will salt cross the lake in 2090?")
    gaps = shown.split("## Not established")[1]
    assert "asks about what has not happened yet" in gaps
    assert "the newest source that was found is of 2024" in gaps
    assert SALT.text.split(". ")[0] in shown  # with what was found


def test_a_name_of_several_things_is_said_with_their_titles() -> None:
    assert "“Orta” names several things in what was found: Orta (lake); Orta (barge)" in asked(
        "What of salt is known at Orta?"
    )


def test_a_question_that_says_which_is_meant_has_no_such_name() -> None:
    assert "names several things" not in asked("What is known of the barge Orta?")


@pytest.mark.parametrize("question", ["What shapes the trade of Como?", "What shapes trade?"])
def test_other_names_are_not_told_of(question: str) -> None:
    assert senses(question, [LAKE.source, BARGE.source, SALT.source]) == []


def test_a_question_within_what_documents_hold_gets_no_such_line() -> None:
    shown = report(run(TopicReader(), SALT, WIND, CREW))
    assert "has not happened" not in shown
    assert "judgement" not in shown
