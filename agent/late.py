"""How near sentences are to a question by its words, each held against the nearest word of a sentence, a passage and a source.

Late interaction (Khattab and Zaharia 2020, ColBERT) over passages that are embedded whole under their title and headings, so that a
sentence's words carry what stands around them (late chunking, Günther et al. 2024): "it" is near to what it stands for. A word of the
question counts by how few of the passages found hold it: in a folder on one topic its name tells nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.retrieval.types import Passage, Words

from .sentences import Matrix, Sentence

FEATURES = ("late", "late_passage", "late_source")

WordsOf = Callable[[Sequence[str]], Sequence[Words]]


def nearness(question: str, sentences: Sequence[Sentence], words: WordsOf) -> Matrix:
    """[n, 3], the FEATURES of each sentence: how much of the question it holds, its passage with what heads that, and its source."""
    if not sentences:
        return np.zeros((0, len(FEATURES)))
    passages = list({s.passage.id: s.passage for s in sentences}.values())
    heads = list(map(_headed, passages))
    (asked,) = words([question])
    read = words([f"{head}{p.text}" for head, p in zip(heads, passages, strict=True)])
    weights = _rarity(asked.ids, read)
    near = {
        p.id: asked.states.astype(np.float32) @ w.states.astype(np.float32).T
        for p, w in zip(passages, read, strict=True)
    }
    places = {p.id: w.places - len(head) + p.start for p, w, head in zip(passages, read, heads, strict=True)}
    best = {p.id: near[p.id].max(axis=1, initial=-1.0) for p in passages}
    of_source = _most_of_sources(passages, best)
    rows = [
        (
            _within(near[s.passage.id], places[s.passage.id], s),
            best[s.passage.id],
            of_source[s.passage.source.id],
        )
        for s in sentences
    ]
    return np.array(rows, dtype=np.float64) @ weights


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


def _within(near: NDArray[np.float32], places: NDArray[np.int64], sentence: Sentence) -> NDArray[np.float32]:
    """For each word of the question the nearest word of a sentence, of those of its passage at [start, end) `places`."""
    inside = (places[:, 1] > sentence.start) & (places[:, 0] < sentence.end)
    return near[:, inside].max(axis=1, initial=-1.0)
