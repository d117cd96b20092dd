"""Sentences of the evidence: their words, their typed places, and whether two of them say the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, SlotSpec, typed_spans
from palimpsest.retrieval.types import Passage

from . import figures, thresholds
from .draft import Kind
from .state import Candidate, Filled, Piece
from .wording import DENYING

_LEAD = re.compile(r"(?:(?:is|are|was|were|been|by|of|and|or|that|which)\s+)+(?=\S)")
_POSSESSIVE = ("", "'", "’")
_PARAGRAPH = re.compile(r"\S(?:(?!\n[^\S\n]*\n).)*", re.DOTALL)
_BRACKETED = re.compile(r"\[\d+(?:[,–-]\s?\d+)*\]")  # a source's own citation is no figure of what it says
_WORD = re.compile(r"[^\W_]+(?:[-'’.,][^\W_]+)*")
_STOP = frozenset(
    "a an the of in on at by for to from with and or is are was were be been being it its this that these those as which who "
    "whom whose what when where how why does do did has have had can could will would may might than then there their they he "
    "she his her him them into over under about after before also not no one".split()
)
_SUPERLATIVE = re.compile(
    r"\b(?:the|an?|its|his|her|their|\w+['’]s)\s+(?:\w+\s+){0,2}?(?:\w{2,}est|most|least|first|last|only|best|worst|record)\b",
    re.IGNORECASE,
)


def sentences_of(passage: Passage) -> list[tuple[int, int]]:
    """[start, end) of each sentence of a passage, offsets into its source; a passage that was never split is one."""
    if passage.sentences:
        return list(passage.sentences)
    return [(passage.start, passage.end)]


def sentences_within(passage: Passage, start: int, end: int) -> list[tuple[int, int]]:
    """The sentences, or what of them lies there, of the source's characters [start, end): a quotation may begin behind a label."""
    return [(max(a, start), min(b, end)) for a, b in sentences_of(passage) if a < end and start < b]


def sentence_at(passage: Passage, start: int, end: int) -> tuple[int, int]:
    """The sentence of the passage that holds the source's characters [start, end), or all sentences that these touch."""
    touched = [(a, b) for a, b in sentences_of(passage) if a < end and start < b]
    return (min(a for a, _ in touched), max(b for _, b in touched)) if touched else (start, end)


def without_lead(candidate: Candidate) -> Candidate:
    """A candidate without the small words ahead of the answer: "is £1.50" says £1.50; names in capitals keep theirs."""
    lead = _LEAD.match(candidate.text)
    cut = lead.end() if lead else 0
    return candidate.model_copy(update={"text": candidate.text[cut:], "start": candidate.start + cut})


def within_paragraph(candidate: Candidate) -> Candidate:
    """A candidate that goes on over a blank line, cut to its longest part: what stands in another paragraph is another statement."""
    paragraphs = list(_PARAGRAPH.finditer(candidate.text))
    if len(paragraphs) < 2:
        return candidate
    longest = max(paragraphs, key=lambda m: len(m.group()))
    text = longest.group().rstrip(".;:, ")
    start = candidate.start + longest.start()
    return candidate.model_copy(update={"text": text, "start": start, "end": start + len(text)})


def within_kind(filled: Filled, kind: Kind) -> Filled:
    """Words filled into a typed place, cut to the names or figures in them: the words around stand in the sentence already."""
    typed = _places(filled.text, kind)
    if filled.passage is None or not typed:
        return filled
    start, end = typed[0][0], typed[-1][1]
    place = {"start": filled.start + start, "end": filled.start + end}
    return filled.model_copy(update={**place, "text": filled.text[start:end]})


def _places(text: str, kind: Kind) -> list[tuple[int, int]]:
    """The places of one kind; a figure's unit is a part of it."""
    return figures.places(text) if kind == "NUMBER" else [(s, e) for s, e, k in typed_spans(text) if k.name == kind]


def whole_figure(candidate: Candidate, passage: Passage, question: str = "") -> Candidate:
    """A candidate with all of the figures that it begins or ends in: their sign, currency, scale and unit.

    A unit that the question names ("how many knots") need not be said again. Words that directly follow a figure are counted by
    it: "rent" in "three months' rent" says how much with the figure only.
    """
    start, end = candidate.start - passage.start, candidate.end - passage.start
    first, last = (at - passage.start for at in sentence_at(passage, candidate.start, candidate.end))
    spans = [(s + first, e + first) for s, e in figures.places(passage.text[first:last])]
    for figure_start, figure_end in spans:
        is_counted = passage.text[figure_end:start].strip(" \u00a0") in _POSSESSIVE and figure_end <= start
        if figures.names_unit(question, passage.text[figure_start:figure_end]) and end < figure_end:
            figure_end = end
        if (figure_start < end and start < figure_end) or (is_counted and figure_end > start - 4):
            start, end = min(start, figure_start), max(end, figure_end)
    place = {"start": start + passage.start, "end": end + passage.start}
    return candidate.model_copy(update={**place, "text": passage.text[start:end]})


def tidy(candidate: Candidate, passage: Passage, question: str) -> Candidate:
    """A reading of one paragraph, without the small words ahead of it, and with the whole of its figures."""
    return whole_figure(without_lead(within_paragraph(candidate)), passage, question)


class Part(NamedTuple):
    """A stretch of a sentence: its words, their place in the source, and what kind of place it is."""

    text: str
    start: int
    end: int
    kind: Kind


def parts(text: str, offset: int) -> list[Part]:
    """A sentence cut at its names and figures; `offset` is where it starts in its source."""
    found, at = [], 0
    cited = {at for match in _BRACKETED.finditer(text) for at in range(*match.span())}
    numbers = [(s, e) for s, e in figures.places(text) if s not in cited]
    names = [(s, e) for s, e, kind in typed_spans(text) if kind is MaskKind.ENTITY]
    apart = [(s, e) for s, e in names if all(e <= a or b <= s for a, b in numbers)]
    typed: list[tuple[int, int, Kind]] = [(s, e, "NUMBER") for s, e in numbers] + [(s, e, "ENTITY") for s, e in apart]
    for start, end, name in sorted(typed):
        if at < start:
            found.append(Part(text[at:start], offset + at, offset + start, "TEXT"))
        found.append(Part(text[start:end], offset + start, offset + end, name))
        at = end
    if at < len(text):
        found.append(Part(text[at:], offset + at, offset + len(text), "TEXT"))
    return found


def form(pieces: Iterable[tuple[str, Kind]], holes: Iterable[int]) -> list[Piece]:
    """A claim with holes: the pieces named by index become slots of their kind."""
    opened = set(holes)
    return [
        SlotSpec(MaskKind[kind], required=True) if number in opened else text
        for number, (text, kind) in enumerate(pieces)
    ]


def content(text: str) -> set[str]:
    """The words of `text` that carry meaning: lower case, without the commonest, plural s cut."""
    return set(_content(text))


@lru_cache(maxsize=4096)
def _content(text: str) -> frozenset[str]:
    words = (w.lower() for w in _WORD.findall(text))
    return frozenset(
        w[:-1] if len(w) > 3 and w.endswith("s") and not w.endswith("ss") else w for w in words if w not in _STOP
    )


def overlap(wanted: set[str], text: str) -> float:
    """The share of the wanted words that `text` holds."""
    return len(wanted & content(text)) / len(wanted) if wanted else 0.0


def superlatives(text: str) -> set[str]:
    """The words by which a sentence claims a place that only one thing can hold: fastest, first, only."""
    return {match.group().split()[-1].lower() for match in _SUPERLATIVE.finditer(text)}


def slice_of(passage: Passage, start: int, end: int) -> Passage:
    """The source's characters [start, end) of a passage as a passage of the same id."""
    text = passage.text[start - passage.start : end - passage.start]
    return passage.model_copy(update={"text": text, "start": start, "end": start + len(text)})


def same_answer(one: str, other: str) -> bool:
    """Whether two answers say the same: one figure in whatever unit, equal words, or one's words all inside the other's."""
    if (said := _same_figure(one, other)) is not None:
        return said
    a, b = content(one), content(other)
    return bool(a and b) and (a <= b or b <= a) if a and b else one.strip().lower() == other.strip().lower()


def says_the_same(one: str, other: str) -> bool:
    """Whether two sentences have most of their words in common, and the same words of relation: one "not" makes another statement."""
    a, b = content(one), content(other)
    return len(a & b) >= thresholds.SHIPPED.same_words * len(a | b) and _relations(one) == _relations(other)


def _relations(text: str) -> set[str]:
    return {
        text[s:e].lower() for s, e, kind in typed_spans(text) if kind is MaskKind.LOGIC and text[s:e].lower() in DENYING
    }


def likeliest_first(found: Sequence[Candidate]) -> list[str]:
    """What was read, each once, the likeliest first."""
    return list(dict.fromkeys(c.text for c in sorted(found, key=lambda c: -c.probability)))


def names_several(text: str) -> bool:
    """Whether words name several things: joined by commas or a conjunction."""
    return bool(re.search(r"[,;]\s|\s(?:and|or|und|et)\s", text.strip(" ,;")))


def _same_figure(one: str, other: str) -> bool | None:
    """Whether two answers that are one figure each agree; None where the figures do not decide: a number without a unit beside one."""
    ours, theirs = figures.single(one), figures.single(other)
    if ours is None or theirs is None or bool(ours.unit) != bool(theirs.unit):
        return None
    if not ours.unit and content(one) != content(other):
        return None
    return figures.agree(ours, theirs)
