"""Texts told apart by their wording and meaning: a linear classifier over hashed words and pairs of words, and vectors, small enough
for JSON.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from palimpsest.retrieval.types import Frozen

from . import speech

_WORDS = regex.compile(r"[\p{L}\p{M}]+|\d[\d.,]*|%|\?")
START, FIGURE = "^", "0"


class LinearText(Frozen):
    """`weights[label]` is a row of one weight a bucket, in hundredths; `offsets` are in the same order as `labels`.

    `meaning[label]` is a row of one weight for each number of a text's vector, in hundredths; without it only words tell.
    """

    labels: tuple[str, ...]
    offsets: tuple[float, ...]
    weights: tuple[tuple[int, ...], ...]
    meaning: tuple[tuple[int, ...], ...] = ()

    @property
    def num_buckets(self) -> int:
        return len(self.weights[0])

    def probabilities(self, texts: Sequence[str], vectors: NDArray[np.float32] | None = None) -> NDArray[np.float64]:
        """[len(texts), len(labels)]; rows sum to 1. `vectors` [len(texts), d], of length 1, where it was fitted with them.

        Vectors of another width are another embedder's, and say nothing to it.
        """
        table = np.array(self.weights, dtype=np.float64).T / 100.0  # [buckets, labels]
        rows = [buckets(text, self.num_buckets) for text in texts]
        logits = np.array([table[row].sum(axis=0) * scale(row) for row in rows]).reshape(-1, len(self.labels))
        if self.meaning and vectors is not None and vectors.shape[1] == len(self.meaning[0]):
            logits = logits + vectors @ np.array(self.meaning, dtype=np.float64).T / 100.0
        return softmax(logits + np.array(self.offsets))

    def log_odds(self, texts: Sequence[str], *labels: str) -> NDArray[np.float64]:
        """[len(texts)], the natural logarithm of the odds that one of the labels holds."""
        columns = [self.labels.index(label) for label in labels]
        found = np.clip(self.probabilities(texts)[:, columns].sum(axis=1), 1e-3, 1 - 1e-3)
        odds: NDArray[np.float64] = np.log(found / (1 - found))
        return odds


def softmax(logits: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def words(text: str) -> list[str]:
    """Casefolded words; every figure is the same word, so that no figure is learnt by heart."""
    return [FIGURE if word[0].isdigit() else word for word in _WORDS.findall(text.casefold())]


def buckets(text: str, num_buckets: int) -> list[int]:
    """The numbers of the buckets that the words and the pairs of neighbours fall in, each once, the opening word marked as such."""
    found = words(text)
    pairs = [f"{one} {other}" for one, other in zip([START, *found], found, strict=False)]
    return sorted({zlib.crc32(gram.encode()) % num_buckets for gram in (*found, *pairs)})


def scale(row: Sequence[int]) -> float:
    """A long text counts no more than a short one."""
    return 1.0 / math.sqrt(max(len(row), 1))


DENYING = frozenset("not no never without none neither cannot".split())


def denies(text: str) -> bool:
    """Whether a text holds an odd number of words that deny: two of them take each other back."""
    found = text.casefold().replace("’", "'").split()
    return sum(word.strip('.,;:!?"()') in DENYING or word.endswith("n't") for word in found) % 2 == 1


LEANING = frozenset(  # English words that, opening a sentence, point back to the one before
    """he she it they his her hers its their theirs him them himself herself itself themselves however therefore thus hence
    moreover furthermore additionally nevertheless nonetheless instead otherwise consequently accordingly conversely likewise
    similarly meanwhile but so yet and or nor also then both neither further specifically particularly others""".split()
)
OPENINGS = (  # words in a row that do so
    "in contrast", "by contrast", "in particular", "in addition", "as such", "as well", "as a result", "on the other hand",
    "for example", "for instance", "in other words", "the former", "the latter", "the other", "the others",
)  # fmt: skip
NO_OPENINGS = (
    "in contrast to",
    "by contrast to",
    "in contrast with",
    "in addition to",
)  # what follows is said in the same breath
COUNTED = ("second,", "third,", "fourth,", "fifth,")
DEMONSTRATIVES = frozenset("this that these those such".split())
# What a text calls itself. Nothing was said before the opening sentence of an abstract: of 12,000 of arXiv "this paper", "this study"
# and the rest stand there in one of eight places or more, "this approach" and all others in at most one of eleven. A trial is one too.
OWN_NAMES = frozenset(
    "paper work article study research report thesis note chapter letter contribution manuscript trial".split()
)
REACH = 40  # words of a sentence in which its verb is looked for


def leans(text: str) -> bool:
    """Whether a sentence needs the one before: it opens with a pronoun, a connective or its verb, or ahead of its verb stands "this" or
    "that baseline". "This paper" is the text's own name.
    """
    found = words(text)
    opening = " ".join(found[:4]) + " "
    if (found[:1] and found[0] in LEANING) or text.casefold().startswith(COUNTED):
        return True
    if opening.startswith(tuple(f"{row} " for row in OPENINGS)) and not opening.startswith(NO_OPENINGS):
        return True
    if text[:1].islower() and "?" not in text and _has_no_subject(text):
        return True
    return not DEMONSTRATIVES.isdisjoint(found) and _points_back(speech.tokens(text)[:REACH])


def _has_no_subject(text: str) -> bool:
    """Whether a sentence begins with its verb: what it is said of was cut off."""
    return bool(tags := speech.tags(speech.tokens(text)[:REACH])) and tags[0] in speech.FINITE


def _points_back(tokens: tuple[str, ...]) -> bool:
    """Whether a demonstrative ahead of the first verb stands for, or before the name of, something that was spoken of before."""
    tags = speech.tags(tokens)
    end = next((n for n, tag in enumerate(tags) if tag in speech.FINITE), len(tags))
    return any(_is_back(tokens[n:], tags[n:]) for n in range(end) if tokens[n].casefold() in DEMONSTRATIVES)


def _is_back(tokens: Sequence[str], tags: Sequence[str]) -> bool:
    """Whether the demonstrative that words begin with points back: it stands alone, or before a noun that is no name of the text."""
    word, rest = tokens[0].casefold(), tags[1:]
    if word == "that" and (
        tags[0] == "CJT" or (rest[:1] and rest[0][:2] in ("AT", "PN", "DP", "DT"))
    ):  # "we show that …"
        return False
    is_forward = word == "those" and rest[:1] and rest[0][:2] in ("PR", "PN", "DT", "VV")  # "those who", "those of"
    if is_forward or [t.casefold() for t in tokens[:2]] == ["such", "as"]:
        return False
    name = list(
        takewhile(
            lambda pair: pair[1][:2] in _OF_NAMES and pair[1] not in speech.FINITE, zip(tokens[1:], rest, strict=True)
        )
    )
    nouns = [token.casefold() for token, tag in name if tag[:1] == "N"]
    return not nouns or nouns[-1] not in OWN_NAMES or word != "this"


_OF_NAMES = frozenset(
    ("AJ", "AV", "CR", "OR", "NN", "NP", "VV", "UN")
)  # what may stand between "this" and the end of what it names


def defines(text: str, name: str) -> bool:
    """Whether a sentence opens by saying what a name is: "X is a …", "X was the …"."""
    opening = rf"(?:the )?{regex.escape(name)}(?: \([^)]*\))? (?:is|are|was|were) (?:an?|the|one) "
    return regex.match(opening, text.strip(), regex.IGNORECASE) is not None
