"""Lines for a terminal, which would break them inside words."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len

from palimpsest.ui.folding import LEAST, fold, folded

REPORT = """# Ferries

> The ferry from Selm to Orta takes 70 minutes, and on Sundays in winter it does not run at all. [1]

- Boats were rowed from Selm to Orta for two hundred years before the first ferry was built in Tarn. [2]

| | Minutes on a calm day without much wind | Crew that is paid by the harbour |
| --- | --- | --- |

12. A guide to all the ferries of the lake and of the rivers that run into it. `guide.md` (text SHA-256 0123456789ab)
"""


@pytest.mark.parametrize("width", [30, 47, 80])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(width: int) -> None:
    shown = folded(REPORT, width)
    assert re.sub(r"(?<=[^\n])\n(?:> | {2,4})(?=\S)", " ", shown) == REPORT, "joined again it is what it was"
    assert all(cell_len(line) <= width for line in shown.splitlines() if not line.startswith("|"))


def test_what_goes_on_stands_under_its_first_word() -> None:
    assert folded("- one two three four five", 14).splitlines() == [
        "- one two three four",
        "  five",
    ]  # at least so many
    assert fold("ab " * 12 + "cd", LEAST + 3, "> ", "> ").splitlines() == [
        "> ab ab ab ab ab ab ab",
        "> ab ab ab ab ab cd",
    ]
    assert fold("", 40, "- ", "  ") == "- "


def test_wide_letters_take_two_cells() -> None:
    lines = fold(" ".join(["渡船"] * 12), 24).splitlines()
    assert [cell_len(line) for line in lines] == [24, 24, 9]


def test_a_word_that_is_wider_stays_whole() -> None:
    assert fold(f"see {'x' * 60} now", 30).splitlines() == ["see", "x" * 60, "now"]
