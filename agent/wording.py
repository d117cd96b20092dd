"""Texts told apart by their wording and meaning: a linear classifier over hashed words and pairs of words, and vectors, small enough
for JSON.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

from palimpsest.retrieval.types import Frozen

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
    similarly meanwhile but so yet and or nor also then both neither""".split()
)
DEMONSTRATIVES = frozenset("this that these those such".split())
AUXILIARIES = frozenset(
    "is are was were be has have had do does did can could may might must will would shall should".split()
)


def leans(text: str) -> bool:
    """Whether a sentence opens with a word that needs the one before: a pronoun, a connective, "this" with no noun of its own."""
    one, other, *_ = (*words(text)[:2], "", "")
    return one in LEANING or (one in DEMONSTRATIVES and other in AUXILIARIES)
