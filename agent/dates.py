"""Dates that decide: which source is later, and which versions were in force at a time that is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage

_YEAR = re.compile(r"(?<!\d)(1\d{3}|20\d{2})(?!\d)")


def asked_date(question: str) -> str:
    """The date a question speaks of, ISO and as precise as it is given; "" when it names none or several."""
    places = [question[s:e] for s, e, kind in typed_spans(question) if kind is MaskKind.NUMBER]
    dates = [date for place in places if (date := iso(place))]
    return dates[0] if len(dates) == 1 else ""


@lru_cache(maxsize=4096)
def iso(text: str) -> str:
    """A date in words or figures as ISO, as precise as it is given; "" for what is none."""
    year = _YEAR.search(text)
    if year is None or text.strip() == year[1]:
        return year[1] if year else ""
    from dateparser.date import DateDataParser

    found = DateDataParser(languages=["en"], settings={"REQUIRE_PARTS": ["year"]}).get_date_data(text)
    if found.date_obj is None:
        return ""
    return found.date_obj.strftime({"year": "%Y", "month": "%Y-%m"}.get(found.period, "%Y-%m-%d"))


def is_later(one: str, other: str) -> bool:
    """Whether an ISO date is later than another, as far as both are precise."""
    size = min(len(one), len(other))
    return one[:size] > other[:size]


def in_force(passages: Sequence[Passage], as_of: str) -> list[Passage]:
    """The passages that can tell what held at a date: of sources not later than it, or that speak of its year."""
    if not as_of:
        return list(passages)
    return [p for p in passages if not p.source.date or not is_later(p.source.date, as_of) or as_of[:4] in p.text]


def supersedes(own: Passage, other: Passage, as_of: str) -> bool | None:
    """Whether the other source takes precedence: the later date, or the one in force then. None when the dates do not decide."""
    ours, theirs = own.source.date, other.source.date
    if not (ours and theirs):
        return None
    if as_of and is_later(theirs, as_of) != is_later(ours, as_of):
        return is_later(ours, as_of)
    if is_later(theirs, ours) or is_later(ours, theirs):
        return is_later(theirs, ours)
    return None
