"""What was due, expected or approved is no answer to what came of it."""

from __future__ import annotations

import pytest

from palimpsest.agent.planned import asks_what_came, is_planned

from .world import ScriptedWriter, Shelf, passage, report, research

PLANNED = [
    ("The library at Corn Street, due to reopen in March 2019, is still behind scaffolding.", "March 2019"),
    ("The tram line to Ostby was planned to open in 2016.", "2016"),
    ("The bridge was expected to cost 12 million dollars.", "12 million"),
    ("The forecast of the final cost of the stadium is 80 million pounds.", "80 million"),
    ("The hospital will be finished in May 2021.", "May 2021"),
    ("The trustees approved 340 seats in the hall.", "340"),
    ("The club aims to plant 5,000 trees by the autumn.", "5,000"),
    ("In 1998 it was estimated that the tunnel would cost 1.1 billion euros.", "1.1 billion"),
    ("The opening was postponed to September 2022.", "September 2022"),
    ("The budget for the dam was set at 40 million.", "40 million"),
]
CAME = [
    ("The library at Corn Street, due to reopen in March 2019, opened its doors in November 2019.", "November 2019"),
    ("The tram line to Ostby, planned for 2016, opened in 2018.", "2018"),
    ("The bridge cost 15 million dollars, three million more than expected.", "15 million"),
    ("The final account of the stadium closed at 92 million pounds, above the forecast.", "92 million"),
    ("The hospital was finished as scheduled in March 2022.", "March 2022"),
    ("The plan was approved by the trustees in 1931.", "1931"),
    ("The ferry began to sail in August; it will stop for the winter.", "August"),
    ("The tunnel, which was estimated at 1.1 billion euros, cost 1.6 billion euros.", "1.6 billion"),
    ("The mill closed due to the flood of 1931.", "1931"),
    ("In May 1974 the pier was closed.", "1974"),
    ("An estimated 5,000 people died.", "5,000"),
    ("The cost of the forecast is 300 euros.", "300"),
]


@pytest.mark.parametrize(("sentence", "words"), PLANNED)
def test_what_a_plan_governs_is_planned(sentence: str, words: str) -> None:
    assert is_planned(sentence, sentence.index(words))


@pytest.mark.parametrize(("sentence", "words"), CAME)
def test_what_came_of_it_is_not(sentence: str, words: str) -> None:
    assert not is_planned(sentence, sentence.index(words))


@pytest.mark.parametrize(
    ("question", "came"),
    [
        ("When did the library reopen?", True),
        ("How much did the bridge cost in the end?", True),
        ("When was the library due to reopen?", False),
        ("How much was the bridge expected to cost?", False),
        ("When will the library reopen?", False),
        ("When does the library reopen?", False),
        ("How large was the budget of the dam?", False),
    ],
)
def test_only_what_came_of_a_plan_is_asked_about_in_the_past(question: str, came: bool) -> None:
    assert asks_what_came(question) is came


def test_a_planned_date_is_no_answer_and_the_report_says_who_gives_it() -> None:
    said = "The library at Corn Street, due to reopen in March 2019, is late."
    writer = ScriptedWriter({"reopen": r"in ((?:March|November) 2019)"})
    _, state = research("When did the library at Corn Street reopen?", writer, Shelf(passage(said, "Minutes")))
    assert state.graph.answers("q1") == []
    assert f"“Minutes” gives “March 2019” as planned or expected: “{said}”" in report(state)
    came = passage("The library at Corn Street opened its doors again in November 2019.", "Diary")
    _, state = research("When did the library at Corn Street reopen?", writer, Shelf(passage(said, "Minutes"), came))
    assert state.draft.span("q1.answer").text == "November 2019"


def test_what_was_planned_answers_a_question_for_the_plan() -> None:
    writer = ScriptedWriter({"reopen": r"in (March 2019)"})
    held = passage("The library at Corn Street, due to reopen in March 2019, is late.", "Minutes")
    _, state = research("When was the library at Corn Street due to reopen?", writer, Shelf(held))
    assert state.draft.span("q1.answer").text == "March 2019"
