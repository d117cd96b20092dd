"""Of what kind the words of an answer are: "who" is answered by a person or a group of them, "where" by a place, "what is the
capacity" by a figure.

A name may be of anything that nobody heard of, and fits a person or a place. Other words are told by a classifier of answers, by
wording and meaning; which questions ask for a figure, where no question word tells, by one of questions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Frozen

from . import figures, speech
from .asking import FUNCTION_WORDS, plain_question
from .questions import asked_kind, first_asked
from .state import Fits, Suits, anything
from .wording import LinearText

PERSON, PLACE, AMOUNT, THING = "person", "place", "amount", "thing"
ASKED = {"who": PERSON, "whom": PERSON, "where": PLACE}
TOLD = frozenset((*ASKED, "whose", "why"))  # question words that ask for no figure
_FIGURE_TAGS = frozenset(("CR", "OR"))  # how the tags of numbers in words begin: "six", "second"

Vectors = Callable[[Sequence[str]], NDArray[np.float32]]


class AnswerKinds(Frozen):
    """Fitted: `words` tells the kinds of answers apart; what is of a kind with less than its `least` probability is none of it.

    `asked` tells questions that ask for a figure from those for a THING, and is believed from the probability `amount` on. `measures`
    tells what kind of figure answers a question, or that none does.
    """

    words: LinearText
    least: dict[str, float]
    asked: LinearText
    amount: float
    measures: LinearText
    measured: dict[str, float]


def fitting(fitted: AnswerKinds, vectors: Vectors) -> Fits:
    def fits(question: str, answers: Sequence[str]) -> list[bool]:
        if asks_for_figure(fitted, vectors, question):
            is_timed = figures.speaks_of_time(question)
            return [holds_figure(text if is_timed else figures.without_dates(text)) for text in answers]
        kind = ASKED.get(first_asked(question), "")
        plain = [text for text in answers if not is_named(text)]
        if not kind or not plain:
            return anything(question, answers)
        found = fitted.words.probabilities(plain, vectors(plain))[:, fitted.words.labels.index(kind)]
        strange = {text for text, share in zip(plain, found, strict=True) if share < fitted.least[kind]}
        return [text not in strange for text in answers]

    return fits


COUNT, DATE, NO_FIGURE, OTHER_MEASURE = "count", "date", "no figure", "measure"
OWN = ("money", "share", "time")  # dimensions of figures that are a kind of their own
LEAST = 0.01  # no classifier of this size is surer


def suiting(fitted: AnswerKinds, vectors: Vectors) -> Suits:
    def suits(question: str, read: Sequence[tuple[str, int, int]]) -> list[float]:
        plain = [plain_question(question)]
        shares = fitted.measures.probabilities(plain, vectors(plain))[0]
        of = {name: math.log(max(share, LEAST)) for name, share in zip(fitted.measures.labels, shares, strict=True)}
        return [of[measure_of(*one)] - max(of.values()) for one in read]

    return suits


def measure_of(text: str, start: int, end: int) -> str:
    """What kind of figure text[start:end] holds: of money, a share, a length of time, a date, in another unit, a number, or none."""
    if figures.dated(text, start, end):
        return DATE
    found = [f for f in figures.figures(text) if f.start < end and start < f.end]
    measured = next((f.dimension for f in found if f.dimension), "")
    if measured:
        return measured if measured in OWN else OTHER_MEASURE
    return COUNT if found or holds_figure(text[start:end]) else NO_FIGURE


def asks_for_figure(fitted: AnswerKinds, vectors: Vectors, question: str) -> bool:
    """Whether all of a question asks for a figure, where no question word tells what it asks for."""
    if asked_kind(question) == "NUMBER" or first_asked(question) in TOLD:
        return False
    plain = [plain_question(question)]
    found = fitted.asked.probabilities(plain, vectors(plain))[0][fitted.asked.labels.index(AMOUNT)]
    return bool(found >= fitted.amount)


def names_nobody(question: str, answer: str) -> bool:
    """Whether an answer to "who" is a group of people without a name, "the crew": somebody named may be found behind it."""
    return ASKED.get(first_asked(question)) == PERSON and not is_named(answer)


def holds_figure(text: str) -> bool:
    """Whether words hold a figure, in digits or words, that is no part of a name: "16 MVA", "a third"; not "Berth 9"."""
    names = [(start, end) for start, end, kind in typed_spans(text) if kind is MaskKind.ENTITY]
    rest = figures.blanked(text, names)
    return any(map(str.isdigit, rest)) or any(tag[:2] in _FIGURE_TAGS for tag in speech.tags(speech.tokens(rest)))


def is_named(text: str) -> bool:
    """Whether words hold a name: one with a capital that is no article or the like."""
    return any(
        not token.islower() and token[0].isalpha() and token.casefold() not in FUNCTION_WORDS
        for token in speech.tokens(text)
    )
