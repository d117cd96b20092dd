"""What was due, expected or approved is no answer to what came of it."""

from __future__ import annotations

import pytest

from palimpsest.agent.planned import asks_what_came, asks_what_is, is_planned, is_to_come

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
    ("Platform 3 is to have 120 lockers.", "120"),
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
    ("The mill was to make 900 wheels in all.", "900"),
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


def test_what_is_to_come_is_dated_later_than_its_source() -> None:
    said = "Platform 3 is to have 120 lockers in the spring of 2031."
    assert is_to_come(said, said.index("120"), "2029-06-01")
    assert not is_to_come(said, said.index("120"), "2031-08-01")
    assert not is_to_come(said, said.index("120"), "")
    always = "From 2031 a locker costs 2 euros."
    assert not is_to_come(always, always.index("2 euros"), "2029-06-01")
    rule = "Nobody is to keep more than 120 lockers."
    assert not is_to_come(rule, rule.index("120"), "2029-06-01")


@pytest.mark.parametrize(
    ("question", "is_asked"),
    [
        ("How many lockers does the station have?", True),
        ("What is the number of lockers?", True),
        ("How many lockers did the station have?", False),
        ("How many lockers will the station have?", False),
        ("How many lockers is the station to have?", False),
        ("How many lockers are planned at the station?", False),
        ("How many lockers does the station have in 2031?", False),
    ],
)
def test_only_what_is_now_is_asked_about_in_the_present(question: str, is_asked: bool) -> None:
    assert asks_what_is(question) is is_asked


def test_an_answer_that_is_yet_to_come_says_so() -> None:
    said = "Platform 3 at Hollen station is to have 120 lockers in the spring of 2031."
    writer = ScriptedWriter({"lockers": r"(\d+) lockers"})
    shelf = Shelf(passage(said, "Yearbook", "2029-06-01"))
    _, state = research("How many lockers does Hollen station have?", writer, shelf)
    assert "**120** [1] (one source; told there as planned)" in report(state)
    _, state = research("How many lockers will Hollen station have?", writer, shelf)
    assert "**120** [1] (one source)" in report(state)
