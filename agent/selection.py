"""Which sentences of the passages found a report is made of: told apart, taken by score, and stopped in time.

Plain steps: `sentences_of` cuts the passages, `describing.described` gives every sentence numbers that mean the same for every
question, `weighing.scores` weighs them twice, the second time with what the first said of the sentences around it and of those like
it, and `select` takes sentences by score until what is left is not worth its characters. Without weights nothing is selected by
guess: the caller must have some.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import table_id

from . import thresholds
from .asking import FUNCTION_WORDS
from .sentences import JOINED, MANY_CHARACTERS, Chosen, Sentence, Vectors, Where, place_of
from .whole import plain_words
from .wording import denies

FEW_ROWS = 3  # of a table none of whose rows a question names


@dataclass(frozen=True)
class Scored:
    """A sentence, the score by which it is chosen, and its vector of length 1."""

    sentence: Sentence
    score: float
    vector: Vectors


Whole = Callable[[Sentence], Sequence[Sentence]]
"""A sentence to those that it has to be quoted with; none where it cannot be quoted."""


def alone(sentence: Sentence) -> Sequence[Sentence]:
    return (sentence,)


def select(
    candidates: Sequence[Scored], budget_characters: int, stop: float, thrift: float = 0.0, whole: Whole = alone
) -> list[Chosen]:
    """The quotations of a report, best first: likely sentences while they fit, neighbours joined, repetitions set beside.

    Left out is what is less than `stop` times as likely as the mean of the best or hardly likely at all, what cannot be quoted, and of
    statements that are a source of their own what is near to one that was taken; taking stops at the first sentence that is, with all
    it is quoted with, too long for what is left of the budget. With `thrift` short sentences come before long ones that are about as
    likely.
    """
    taken: list[Scored] = []
    beside: dict[int, list[Sentence]] = {}
    quoted: dict[Where, int] = {}  # the places of what is quoted, and how long each is
    for candidate in sorted(_likely(candidates, stop), key=lambda c: -_worth(c, thrift)):
        twin = next((n for n, other in enumerate(taken) if says_the_same(candidate, other)), None)
        if twin is not None:
            beside.setdefault(twin, []).append(candidate.sentence)
        elif any(repeats(candidate, other) for other in taken):
            continue
        elif parts := {place_of(s): s.length for s in whole(candidate.sentence)}:
            if sum((quoted | parts).values()) > budget_characters:
                break
            taken.append(candidate)
            quoted |= parts
    return _quotations(taken, beside)


def _likely(candidates: Sequence[Scored], stop: float) -> list[Scored]:
    """Those that are worth their characters, likeliest first: a few at least."""
    least = _least(candidates, stop)
    few = thresholds.SHIPPED.least_chosen
    return [c for n, c in enumerate(_ordered(candidates)) if n < few or _probability(c) >= least]


def _worth(candidate: Scored, thrift: float) -> float:
    """The logarithm of its probability over its characters to the power of `thrift`."""
    return -float(np.logaddexp(0.0, -candidate.score)) - thrift * math.log(candidate.sentence.length)


def telling(question: str, candidates: Sequence[Scored]) -> list[Scored]:
    """Without rows of tables that are near to a question for the names of their columns alone, which all rows of a table share.

    Rows one of whose cells the question names stand for their table; where there are none, the best few do.
    """
    asked = set(tokens(question))
    kept: dict[str, set[Where]] = {}
    rows = [c for c in _ordered(candidates) if c.sentence.passage.kind == "row"]
    for named, most in ((True, len(rows)), (False, FEW_ROWS)):
        of_table: dict[str, list[Scored]] = {}
        for row in rows:
            if _is_named(row.sentence, asked) == named:
                of_table.setdefault(table_id(row.sentence.passage), []).append(row)
        for table, found in of_table.items():
            kept.setdefault(table, {place_of(row.sentence) for row in found[:most]})
    places = set().union(*kept.values())
    return [c for c in candidates if c.sentence.passage.kind != "row" or place_of(c.sentence) in places]


def _is_named(row: Sentence, asked: set[str]) -> bool:
    """Whether all words of one of a row's cells are asked about; figures name no row."""
    passage = row.passage
    cells = (c for c in passage.cells if row.start <= c.start and c.end <= row.end)
    texts = (passage.text[c.start - passage.start : c.end - passage.start] for c in cells)
    return any(asked.issuperset(tokens(text)) for text in texts if _may_name(text))


def _may_name(text: str) -> bool:
    return any(map(str.isalpha, text)) and not FUNCTION_WORDS.issuperset(tokens(text))


def _ordered(candidates: Sequence[Scored]) -> list[Scored]:
    return sorted(candidates, key=lambda c: (-c.score, c.sentence.passage.id, c.sentence.start))


def _least(candidates: Sequence[Scored], stop: float) -> float:
    """The probability below which a sentence is not worth its characters: in a folder of short notes on one topic none may be
    likely, and a share of the best tells what belongs; where these hardly do, it would take all that was read.
    """
    best = _ordered(candidates)[: thresholds.SHIPPED.best]
    mean = float(np.mean([_probability(c) for c in best])) if best else 0.0
    least = thresholds.SHIPPED.least_likely
    if mean >= thresholds.SHIPPED.fair:
        least = min(least, thresholds.SHIPPED.least_share * mean)
    return max(stop * mean, least)


def _probability(candidate: Scored) -> float:
    return 1.0 / (1.0 + math.exp(-candidate.score))


def says_the_same(one: Scored, other: Scored) -> bool:
    """Near in meaning, with the same names, figures and logical words: one "not" or another figure makes another statement."""
    if (
        float(one.vector @ other.vector) < thresholds.SHIPPED.alike
        or one.sentence.passage.source.id == other.sentence.passage.source.id
    ):
        return False
    texts = one.sentence.text, other.sentence.text
    return all(_marks(text) <= set(plain_words(second)) for text, second in (texts, texts[::-1]))


def repeats(one: Scored, other: Scored) -> bool:
    """Whether two sources that are one statement each make the same point in other words; a denial or another figure makes another.

    Of longer texts no such thing is assumed: there sentences as near to each other mostly state different facts.
    """
    return (
        _stands_alone(one.sentence)
        and _stands_alone(other.sentence)
        and float(one.vector @ other.vector) >= thresholds.SHIPPED.same_point
        and denies(one.sentence.text) == denies(other.sentence.text)
        and _figures(one.sentence.text) == _figures(other.sentence.text)
    )


def _figures(text: str) -> set[str]:
    return {text[start:end].casefold() for start, end, kind in typed_spans(text) if kind is MaskKind.NUMBER}


def _stands_alone(sentence: Sentence) -> bool:
    """Whether a sentence is all of its passage."""
    passage = sentence.passage
    return sentence.start - passage.start <= JOINED and passage.start + len(passage.text) - sentence.end <= JOINED


def _marks(text: str) -> set[str]:
    return {word for start, end, _ in typed_spans(text) for word in plain_words(text[start:end])}


def _quotations(taken: Sequence[Scored], beside: Mapping[int, Sequence[Sentence]]) -> list[Chosen]:
    """Runs of neighbouring sentences, in the order of the best sentence of each."""
    place = {id(candidate): n for n, candidate in enumerate(taken)}
    runs: list[list[Scored]] = []
    for candidate in sorted(taken, key=lambda c: (c.sentence.passage.source.id, c.sentence.start)):
        if runs and _touch(runs[-1][-1].sentence, candidate.sentence) and _length(runs[-1]) < MANY_CHARACTERS:
            runs[-1].append(candidate)
        else:
            runs.append([candidate])
    runs.sort(key=lambda run: min(place[id(c)] for c in run))
    return [
        Chosen(
            sentences=tuple(replace(c.sentence, score=c.score) for c in run),
            score=max(c.score for c in run),
            also=tuple(s for c in run for s in beside.get(place[id(c)], ())),
        )
        for run in runs
    ]


def _length(run: Sequence[Scored]) -> int:
    return run[-1].sentence.end - run[0].sentence.start


def _touch(one: Sentence, other: Sentence) -> bool:
    """Whether two sentences follow each other in one paragraph of one passage."""
    if one.passage.id != other.passage.id or not 0 <= other.start - one.end <= JOINED:
        return False
    start = one.passage.start
    return "\n\n" not in one.passage.text[one.end - start : other.start - start]
