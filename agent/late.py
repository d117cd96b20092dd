"""How near sentences are to a question by its words, each held against the nearest word of a sentence, a passage and a source.

Late interaction (Khattab and Zaharia 2020, ColBERT) over passages that are embedded whole under their title and headings, so that a
sentence's words carry what stands around them (late chunking, Günther et al. 2024): "it" is near to what it stands for. A word of the
question counts by how few of the passages found hold it: in a folder on one topic its name tells nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palimpsest.retrieval.types import Passage, Words, WordsOf

from .sentences import Matrix, Sentence

FEATURES = ("late", "late_passage", "late_source")


Spot = tuple[Passage, int, int]
"""The [start, end) of a sentence of a passage, in its source."""


def nearness(question: str, sentences: Sequence[Sentence], words: WordsOf) -> Matrix:
    """[n, 3], the FEATURES of each sentence: how much of the question it holds, its passage with what heads that, and its source."""
    if not sentences:
        return np.zeros((0, len(FEATURES)))
    passages = list({s.passage.id: s.passage for s in sentences}.values())
    held = _Held.of(question, passages, words)
    of_source = _most_of_sources(passages, held.best)
    rows = [
        (
            held.within(s.passage, s.start, s.end),
            held.best[s.passage.id],
            of_source[s.passage.source.id],
        )
        for s in sentences
    ]
    return np.array(rows, dtype=np.float64) @ held.weights


def standing(question: str, spots: Sequence[Spot], read: Sequence[Passage], words: WordsOf) -> Matrix:
    """[n, 2]: how much of the question each sentence holds with what heads its passage, and by how much less its passage holds of it
    than the nearest of all that were read.
    """
    passages = list({p.id: p for p in (*read, *(passage for passage, _, _ in spots))}.values())
    held = _Held.of(question, passages, words)
    whole = {name: float(best @ held.weights) for name, best in held.best.items()}
    rows = [
        (float(np.maximum(held.within(p, s, e), held.above(p)) @ held.weights), max(whole.values()) - whole[p.id])
        for p, s, e in spots
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


@dataclass(frozen=True)
class _Held:
    """Of passages, by id: how near each word of a question is to each of theirs [words asked, words], where those stand in the source,
    and the nearest to each; `weights` [words asked] are together 1.
    """

    near: dict[str, NDArray[np.float32]]
    places: dict[str, NDArray[np.int64]]
    best: dict[str, NDArray[np.float32]]
    weights: Matrix

    @classmethod
    def of(cls, question: str, passages: Sequence[Passage], words: WordsOf) -> _Held:
        heads = list(map(_headed, passages))
        (asked,) = words([question])
        read = words([f"{head}{p.text}" for head, p in zip(heads, passages, strict=True)])
        near = {
            p.id: asked.states.astype(np.float32) @ w.states.astype(np.float32).T
            for p, w in zip(passages, read, strict=True)
        }
        places = {p.id: w.places - len(head) + p.start for p, w, head in zip(passages, read, heads, strict=True)}
        best = {name: each.max(axis=1, initial=-1.0) for name, each in near.items()}
        return cls(near, places, best, _rarity(asked.ids, read))

    def within(self, passage: Passage, start: int, end: int) -> NDArray[np.float32]:
        """For each word of the question the nearest word of a sentence, of those of its passage at [start, end)."""
        places = self.places[passage.id]
        inside = (places[:, 1] > start) & (places[:, 0] < end)
        return self.near[passage.id][:, inside].max(axis=1, initial=-1.0)

    def above(self, passage: Passage) -> NDArray[np.float32]:
        """The same of what heads a passage."""
        return self.near[passage.id][:, self.places[passage.id][:, 1] <= passage.start].max(axis=1, initial=-1.0)


def _headed(passage: Passage) -> str:
    """What stands above a passage, each once: the title of its source and the headings of its part."""
    return "".join(f"{head}. " for head in dict.fromkeys((passage.source.title, *passage.path)) if head)


def _rarity(asked: NDArray[np.int64], read: Sequence[Words]) -> Matrix:
    """The weight of each word of the question by its rarity among the passages, together 1; 0 where all hold each."""
    counts = Counter(number for words in read for number in set(words.ids.tolist()))
    rare = [rarity(counts[number], len(read)) for number in asked.tolist()]
    return np.array(rare) / (sum(rare) or 1.0)


def rarity(held: int, texts: int) -> float:
    """The logarithm of how few of the texts hold a word: what all of them hold tells nothing, and needs no list of small words."""
    return max(math.log((texts + 1.0) / (held + 0.5)), 0.0)


def _most_of_sources(
    passages: Sequence[Passage], best: Mapping[str, NDArray[np.float32]]
) -> dict[str, NDArray[np.float32]]:
    """For each source and word of the question the nearest of its words that were read."""
    found: dict[str, NDArray[np.float32]] = {}
    for passage in passages:
        held = found.get(passage.source.id, best[passage.id])
        found[passage.source.id] = np.maximum(held, best[passage.id])
    return found
