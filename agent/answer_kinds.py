"""Of what kind the words of an answer are: "who" is answered by a person or a group of them, "where" by a place.

A name may be of anything that nobody heard of, and fits. Other words are told by a classifier of answers, by wording and meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.retrieval.types import Frozen

from . import speech
from .asking import FUNCTION_WORDS
from .questions import first_asked
from .state import Fits, anything
from .wording import LinearText

PERSON, PLACE, AMOUNT, THING = "person", "place", "amount", "thing"
ASKED = {"who": PERSON, "whom": PERSON, "where": PLACE}


class AnswerKinds(Frozen):
    """Fitted: `words` tells the kinds of answers apart; what is of a kind with less than its `least` probability is none of it."""

    words: LinearText
    least: dict[str, float]
    measured: dict[str, float]


def fitting(fitted: AnswerKinds, vectors: Callable[[Sequence[str]], NDArray[np.float32]]) -> Fits:
    def fits(question: str, answers: Sequence[str]) -> list[bool]:
        kind = ASKED.get(first_asked(question), "")
        plain = [text for text in answers if not is_named(text)]
        if not kind or not plain:
            return anything(question, answers)
        found = fitted.words.probabilities(plain, vectors(plain))[:, fitted.words.labels.index(kind)]
        strange = {text for text, share in zip(plain, found, strict=True) if share < fitted.least[kind]}
        return [text not in strange for text in answers]

    return fits


def is_named(text: str) -> bool:
    """Whether words hold a name: one with a capital that is no article or the like."""
    return any(
        not token.islower() and token[0].isalpha() and token.casefold() not in FUNCTION_WORDS
        for token in speech.tokens(text)
    )
