"""The sentences of passages that were found, and quotations: neighbouring sentences of one source, by where they stand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from palimpsest.retrieval.types import Hit, Passage

Matrix = NDArray[np.float64]
Vectors = NDArray[np.float32]
Split = Callable[[str], Sequence[tuple[int, int]]]  # a text to the [start, end) of its sentences
LEAST_CHARACTERS = 25  # what is shorter states nothing: a heading, a label
MANY_LABEL_WORDS = 4
MANY_CHARACTERS = 700  # what is longer is no sentence but a block that could not be parted


@dataclass(frozen=True)
class Sentence:
    """A sentence of a passage found: the source's text[start:end]. `rank` is that of its passage among those found, from 1, `score`
    that by which it was chosen; none of its own has one that only stands ahead of what leans on it.
    """

    passage: Passage
    start: int
    end: int
    rank: int
    score: float = field(default=-math.inf, compare=False)

    @property
    def text(self) -> str:
        return self.passage.text[self.start - self.passage.start : self.end - self.passage.start]

    @property
    def length(self) -> int:
        return self.end - self.start


@dataclass(frozen=True)
class Chosen:
    """A quotation of the report: neighbouring sentences of one source. `also` are sentences of others that say the same."""

    sentences: tuple[Sentence, ...]
    score: float
    also: tuple[Sentence, ...] = ()

    @property
    def start(self) -> int:
        return self.sentences[0].start

    @property
    def end(self) -> int:
        return self.sentences[-1].end

    @property
    def text(self) -> str:
        """The source's text[start:end]; all its sentences stand in one passage."""
        passage = self.sentences[0].passage
        return passage.text[self.start - passage.start : self.end - passage.start]


Where = tuple[str, int, int]  # the id of a source, and the [start, end) of its characters


def place_of(piece: Chosen | Sentence) -> Where:
    passage = piece.passage if isinstance(piece, Sentence) else piece.sentences[0].passage
    return passage.source.id, piece.start, piece.end


def shares_words(one: Where, other: Where) -> bool:
    return one[0] == other[0] and one[1] < other[2] and other[1] < one[2]


def overlapping(one: Chosen, other: Chosen) -> bool:
    """Whether two quotations share words of a source."""
    return shares_words(place_of(one), place_of(other))


def sentences_of(found: Sequence[Hit], split: Split) -> list[Sentence]:
    """The sentences of the passages found, best passage first; what a source says twice in the same words is a sentence once."""
    kept: dict[tuple[str, str], Sentence] = {}
    for rank, hit in enumerate(found, start=1):
        if hit.passage.kind == "byline":
            continue
        for place, end in places(hit.passage, split):
            start = _without_label(hit.passage, place, end)
            if LEAST_CHARACTERS <= end - start <= MANY_CHARACTERS:
                sentence = Sentence(hit.passage, start, end, rank)
                kept.setdefault((hit.passage.source.id, sentence.text), sentence)
    return list(kept.values())


def _without_label(passage: Passage, start: int, end: int) -> int:
    """Where the sentence begins behind a line of its own that is only a label: "Conclusions" above the first sentence."""
    line, *rest = passage.text[start - passage.start : end - passage.start].split("\n", 1)
    is_label = bool(rest) and len(line.split()) <= MANY_LABEL_WORDS and line[-1:].isalpha() and rest[0][:1].isupper()
    return start + len(line) + 1 if is_label else start


def places(passage: Passage, split: Split) -> Sequence[tuple[int, int]]:
    if passage.sentences:
        return passage.sentences
    return [(passage.start + start, passage.start + end) for start, end in split(passage.text)]


def unsplit(text: str) -> list[tuple[int, int]]:
    """The one sentence of a passage that was never split."""
    return [(0, len(text))]


JOINED = 2  # characters that may lie between two sentences of one quotation
