"""What of a question a table holds: bounds as they are said, dates in words, names with numbers in them."""

from __future__ import annotations

import pytest

from palimpsest.agent.lookups import Reading, read
from palimpsest.agent.matching import form

from .test_lookups import WEIGHTS, Near, answer, ask, table


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("How many drivers had pay 2024 of more than 33000?", "1"),
        ("How many drivers had pay 2024 of no less than 32400?", "2"),
        ("How many drivers had pay 2024 of not more than 32400?", "1"),
        ("How many drivers had pay 2024 between 32000 and 33000?", "1"),
    ],
)
def test_bounds_are_kept_as_they_are_said_and_rows_are_counted(question: str, right: str) -> None:
    assert answer(question, "count") == right


LEVELS = (
    "Day,Level,Visitors\n2023-11-30,212,18\n2024-01-31,230,25\n2024-02-01,198,31\n2024-02-29,201,12\n2024-03-01,190,7"
)


def visitors(question: str) -> str:
    levels = table(LEVELS, "Wells of Orrin")
    found = ask(question, "total", levels)
    assert isinstance(found, Reading), found
    return found.text


@pytest.mark.parametrize(
    ("question", "wanted"),
    [
        ("How many visitors in total came in February 2024?", "43"),
        ("How many visitors in total came before February 2024?", "43"),
        ("How many visitors in total came after February 2024?", "7"),
        ("How many visitors in total came since February 2024?", "50"),
        ("How many visitors in total came until February 2024?", "86"),
        ("How many visitors in total came after 1 February 2024?", "19"),
        ("How many visitors in total came after 2023?", "75"),
        ("How many visitors in total came before 2024?", "18"),
        ("How many visitors in total came between 31 January 2024 and 1 February 2024?", "56"),
    ],
)
def test_dates_in_words_name_rows_and_bound_them(question: str, wanted: str) -> None:
    assert visitors(question).startswith(wanted)


def test_a_name_that_holds_a_number_names_its_row() -> None:
    held = table("Train,To,Carriages\nIC 88,Munich,9\nEN 295,Vienna,12\nR 2204,Bozen,4", "Trains")
    found = read("Carriages of EN 295?", "value", (held,), WEIGHTS, Near())
    assert isinstance(found, Reading)
    assert found.text == "12"


def test_a_word_is_compared_without_the_s_of_a_plural() -> None:
    assert [form(word) for word in ("passes", "boxes", "dishes", "caches", "sizes")] == [
        "pass",
        "box",
        "dish",
        "cache",
        "size",
    ]


def test_a_bound_names_no_row_of_its_own_year() -> None:
    """ "Since 2020" meant the row of 2020 alone."""
    held = table("Year,Guests\n2019,3\n2020,4\n2021,5", "Inn")
    found = ask("How many guests in total came since 2020?", "total", held)
    assert isinstance(found, Reading)
    assert found.text == "9"
