"""Sentences of other evidence that speak of a claim's subject and say something else in its typed places."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage

from . import figures, speech
from .dates import iso, supersedes
from .draft import Span, Support
from .evidence_text import content, overlap, sentences_of, superlatives
from .numbers import Numbers
from .state import ResearchState


class Rival(NamedTuple):
    """A sentence [start, end) of a source that says something else in the places `holes` (indices of the words it is held against).

    `own` is the sentence that it is held against, where that is one of several of a claim.
    """

    passage: Passage
    start: int
    end: int
    text: str
    holes: tuple[int, ...]
    own: Support | None = None


def support_of(rival: Rival) -> Support:
    """The sentence of a rival as what a claim rests on."""
    return Support(passage=rival.passage.id, quote=rival.text, start=rival.start, end=rival.end)


def find_rival(words: Sequence[Span], passage: Passage, numbers: Numbers) -> Rival | None:
    """The passage's sentence that speaks of the claim's subject, and the places in which it differs; None when none does.

    Figures may differ when the names agree; one name may differ when another agrees; more only when both sentences claim a place
    that one thing alone can hold ("the fastest ...").
    """
    wanted = content("".join(s.text for s in words if not s.is_place))
    names = {s.text.lower() for s in words if s.kind == "ENTITY"}
    if len(wanted) < 2:
        return None
    overlaps = [(overlap(wanted, text), start, end, text) for start, end, text in _sentences(passage)]
    for share, start, end, text in sorted(overlaps, key=lambda s: -s[0])[:2]:
        if share < numbers.aligned:
            return None
        holes = tuple(n for n, s in enumerate(words) if s.is_place and not stands(s.text, text))
        figures = [n for n in holes if words[n].kind == "NUMBER"]
        differing = [n for n in holes if words[n].kind == "ENTITY"]
        first = next((n for n, s in enumerate(words) if s.is_place), None)
        ahead = _ahead_of_copula(words)
        if any(n < ahead for n in differing) or any(_is_label(words, n) for n in holes):
            continue  # "the highest speed of A is", "paper 12 says": of another name or number it is another question
        unique = bool(superlatives("".join(s.text for s in words)) & superlatives(text))
        shared = len(names) - len({words[n].text.lower() for n in differing})
        one_name = len(differing) == 1 and shared and not figures and first not in differing
        if unique or not differing or one_name:
            return Rival(passage, start, end, text, holes)
    return None


_COPULA = re.compile(r"\b(?:is|are|was|were)\b", re.IGNORECASE)


def _ahead_of_copula(words: Sequence[Span]) -> int:
    """How many of a sentence's spans stand ahead of its first "is" or "was", where it has a superlative to say it of; else 0."""
    for number, span in enumerate(words):
        match = None if span.is_place else _COPULA.search(span.text)
        if match:
            said = "".join(s.text for s in words[:number]) + span.text[: match.start()]
            return number if superlatives(said) else 0
    return 0


def _is_label(words: Sequence[Span], place: int) -> bool:
    """Whether a figure ahead of a sentence's verb directly follows a noun and so tells which one it is: "Report 12 says"."""
    before = speech.tokens("".join(s.text for s in words[:place]))
    if words[place].kind != "NUMBER" or not before:
        return False
    tags = speech.tags((*before, *speech.tokens("".join(s.text for s in words[place:]))))[: len(before)]
    return tags[-1][:2] == "NN" and not any(tag in speech.FINITE for tag in tags)


def _sentences(passage: Passage) -> list[tuple[int, int, str]]:
    return [(a, b, passage.text[a - passage.start : b - passage.start]) for a, b in sentences_of(passage)]


def same_subject(
    words: Sequence[Span], hole: int, text: str, value: str, numbers: Numbers, leaning_on: str = ""
) -> bool:
    """Whether claim and sentence say the same things ahead of the place in which they differ (behind it, when it comes first).

    A claim such as "Its height is 30 m" is `leaning_on` what stands before it: that must hold all that the sentence says more.
    """
    at = text.find(value)
    before, behind = content("".join(s.text for s in words[:hole])), content("".join(s.text for s in words[hole + 1 :]))
    ours, theirs = (before, content(text[:at])) if before else (behind, content(text[at + len(value) :]))
    if ours and leaning_on and ours <= theirs <= ours | content(leaning_on):
        return True
    return len(ours & theirs) >= numbers.subject * len(ours | theirs)


AHEAD = 2  # words ahead of a figure that tell what it measures: "by about 2 pence"


def measures_alike(words: Sequence[Span], hole: int, text: str, value: str) -> bool:
    """Whether a figure and that of another text are both by how much something changed or differs, or neither: "raised by 2 pence" does
    not contradict "16 pence".
    """
    if words[hole].kind != "NUMBER":
        return True
    ours, theirs = "".join(s.text for s in words[:hole]), text[: max(text.find(value), 0)]
    return len({"by" in said.casefold().split()[-AHEAD:] for said in (ours, theirs)}) == 1


def in_turn(words: Sequence[Span], own: Passage, rival: Rival) -> bool:
    """Whether two sources of one series each tell in the past how much there was in its own turn: "First winter of the pilot" and
    "Second winter of the pilot" do not contradict one another. What is, and when something was, the later one may correct.
    """
    titles = [p.source.title for p in (own, rival.passage)]
    name, other = map(_of_series, titles)
    is_series = name == other and bool(name) and titles[0].casefold() != titles[1].casefold()
    sayings = ("".join(s.text for s in words), rival.text)
    return is_series and all(map(speech.is_past, sayings)) and not any(iso(words[n].text) for n in rival.holes)


def _of_series(title: str) -> tuple[str, ...]:
    """The words of a title without what counts or dates."""
    places = [(s, e) for s, e, kind in typed_spans(title) if kind is MaskKind.NUMBER]
    for start, end in reversed(places):
        title = f"{title[:start]} {title[end:]}"
    tokens = speech.tokens(title)
    named = zip(tokens, speech.tags(tokens), strict=True)
    return tuple(token.casefold() for token, tag in named if token[0].isalnum() and tag[:2] not in ("CR", "OR"))


def stands(words: str, text: str) -> bool:
    """Whether a text says these words: 12 is not 12,000, nor 12 million, nor −12; 984 feet are 300 m.

    "In May, not in June" does not say June.
    """
    figure = figures.single(words)
    said = [f for f in figures.figures(text) if figure and figure.unit and figures.agree(figure, f)]
    if any(not _is_ruled_out(text, f.start) for f in said):
        return True
    found = re.finditer(rf"(?<![\w.])(?<!\d,){re.escape(words)}(?!\w)(?![.,]\d)", text, re.IGNORECASE)
    whole = figures.places(text)
    return any(not _cuts(m.start(), m.end(), whole) and not _is_ruled_out(text, m.start()) for m in found)


_RULING_OUT = re.compile(
    r"(?:,\s*(?:and\s+|but\s+)?not|\brather than|\binstead of)(?:\s+(?:on|in|at|to|by|for|from|of|as|the|an?))*\s+$",
    re.IGNORECASE,
)


def _is_ruled_out(text: str, start: int) -> bool:
    """Whether what stands in a text from there on is named only as what is not so: ", not in June", "instead of June"."""
    return _RULING_OUT.search(text[:start]) is not None


def _cuts(start: int, end: int, whole: Sequence[tuple[int, int]]) -> bool:
    """Whether [start, end) is a part of one of the places, and not all of it."""
    return any(s < end and start < e and (s < start or end < e) for s, e in whole)


def takes_precedence(state: ResearchState, own: Passage, other: Passage, as_of: str) -> bool:
    """Whether the other source decides: by its date, or, where dates do not decide, as what a person brought last."""
    if other.source.retracted and not own.source.retracted:
        return False  # it may not be the only support of what would be written
    by_date = supersedes(own, other, as_of)
    both_dated = own.source.date and other.source.date
    is_news = other.id in state.fresh and own.id not in state.fresh  # of two brought together neither was brought last
    return bool(by_date) or (not both_dated and state.version > 1 and is_news)


def why(own: Passage, other: Passage, as_of: str, taken: bool) -> str:
    """Why one of two sources was kept, in a sentence."""
    if other.source.retracted and not taken:
        return "Kept: the other source was corrected, or is doubted."
    by_date = supersedes(own, other, as_of)
    if by_date is None:
        return "Kept: the evidence brought last." if taken else "Kept: what was written first; the dates do not decide."
    return f"Kept: the source in force in {as_of}." if as_of else "Kept: the newer source."
