"""Text broken at its words, by the cells that a terminal gives to letters: some have two."""

from __future__ import annotations

import re

LEAST = 20  # cells of words in a line, however narrow the terminal
_LEAD = re.compile(r" *(?:- |> |\d+\. )?")


def fold(words: str, width: int, lead: str = "", hang: str = "") -> str:
    """Words behind a `lead`, broken so that no line has more than `width` cells, and each further one behind `hang`.

    A word that is longer stays whole.
    """
    from rich.cells import cell_len

    lines, line, is_begun = [], lead, False
    for word in words.split(" "):
        if is_begun and cell_len(line) + 1 + cell_len(word) > max(width, cell_len(hang) + LEAST):
            lines.append(line)
            line, is_begun = hang, False
        line += f" {word}" if is_begun else word
        is_begun = True
    return "\n".join([*lines, line])


def folded(report: str, width: int) -> str:
    """A report for a terminal, which would break its lines inside words; rows of tables stay as they are."""
    return "\n".join(line if line.startswith("|") else _line(line, width) for line in report.split("\n"))


def _line(line: str, width: int) -> str:
    found = _LEAD.match(line)
    lead = found.group() if found else ""
    return fold(line[len(lead) :], width, lead, lead if ">" in lead else " " * len(lead))
