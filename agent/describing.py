"""Numbers that mean the same for every question, for each sentence that a report may be made of: nearness, wording, place."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import regex  # type: ignore[import-untyped]

from . import late
from .sentences import Matrix, Sentence, Vectors
from .wording import LinearText, words

RESULT, CONCLUSION, METHOD = (
    "result",
    "conclusion",
    "method",
)  # labels of the classifier that tells the parts of an abstract
LEAST_CLAUSE = 4  # words, the question mark among them
MANY_CLAUSES = 8  # of a question that are held against sentences; each is an embedding
_CLAUSE_END = regex.compile(r"(?<=[,:;?.])\s+")

FEATURES = (
    "cosine", "source", "contrast", "part", "overlap", "paragraph_overlap", "title_overlap", "density", "rank", "sources_share",
    "first", "last", "place", "depth", "length", "finding", "conclusion", *late.FEATURES,
)  # fmt: skip


def asking(question: str) -> list[str]:
    """The question and, where punctuation parts it, its clauses: a sentence may answer one of them alone."""
    clauses = [clause.strip() for clause in _CLAUSE_END.split(question)]
    return list(dict.fromkeys([question, *(c for c in clauses if len(words(c)) >= LEAST_CLAUSE)]))[: MANY_CLAUSES + 1]


@dataclass(frozen=True)
class Embedded:
    """Vectors of length 1: of the `asking` texts [m, d], the whole question first, and of the sentences [n, d]; and how near these are
    to the question word by word [n, len(late.FEATURES)].
    """

    asked: Vectors
    alone: Vectors
    late: Matrix


def titled(sentence: Sentence) -> str:
    """A sentence with the title of its source ahead: what "it" is about often stands there alone."""
    return f"{sentence.passage.source.title}. {sentence.text}"


def embedded(
    question: str, sentences: Sequence[Sentence], embed: Callable[[Sequence[str]], Vectors], words: late.WordsOf
) -> Embedded:
    alone = embed([s.text for s in sentences])
    return Embedded(embed(asking(question)), alone, late.nearness(question, sentences, words))


def described(question: str, sentences: Sequence[Sentence], vectors: Embedded, parts: LinearText) -> Matrix:
    """A row of `FEATURES` for each sentence [n, len(FEATURES)].

    `parts` tells by its wording whether a sentence states what was found, what it comes to, or what was meant to be done.
    """
    if not sentences:
        return np.zeros((0, len(FEATURES)))
    columns = {
        **_nearness(sentences, vectors.asked[0], vectors.alone),
        "part": (vectors.alone @ vectors.asked.T).max(axis=1).astype(np.float64),
        **dict(zip(late.FEATURES, vectors.late.T, strict=True)),
        **_wording(question, sentences),
        **_shape(sentences),
        **_findings(sentences, parts),
    }
    return np.column_stack([columns[name] for name in FEATURES])


def _nearness(sentences: Sequence[Sentence], asked: Vectors, vectors: Vectors) -> dict[str, Matrix]:
    """How near a sentence and its source come to the question, as cosines, and the sentence against its passage."""
    cosine = (vectors @ asked).astype(np.float64)
    paragraph = _group_cosine([s.passage.id for s in sentences], asked, vectors)
    source = _group_best([s.passage.source.id for s in sentences], paragraph)
    return {"cosine": cosine, "source": source, "contrast": cosine - paragraph}


def unit(vector: Matrix) -> Matrix:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _group_cosine(groups: Sequence[str], asked: Vectors, vectors: Vectors) -> Matrix:
    """For each row the cosine of the question with the mean of its group's vectors."""
    means = {g: unit(vectors[[i for i, other in enumerate(groups) if other == g]].mean(axis=0)) for g in set(groups)}
    return np.array([float(means[g] @ asked) for g in groups])


def _group_best(groups: Sequence[str], values: Matrix) -> Matrix:
    best: dict[str, float] = {}
    for group, value in zip(groups, values, strict=True):
        best[group] = max(best.get(group, -1.0), float(value))
    return np.array([best[group] for group in groups])


def beside(sentences: Sequence[Sentence], values: Matrix, edge: Matrix) -> tuple[Matrix, Matrix]:
    """The value of the sentence before and after in the same passage; that of `edge` where there is none."""
    order = sorted(range(len(sentences)), key=lambda i: (sentences[i].passage.id, sentences[i].start))
    before, after = edge.copy(), edge.copy()
    for one, other in pairwise(order):
        if sentences[one].passage.id == sentences[other].passage.id:
            before[other], after[one] = values[one], values[other]
    return before, after


def _wording(question: str, sentences: Sequence[Sentence]) -> dict[str, Matrix]:
    """How many of the question's words stand in a sentence, weighted by how rare they are among the passages found."""
    wanted = _content(question)
    texts = {s.passage.id: _content(f"{s.passage.source.title} {s.passage.text}") for s in sentences}
    rarity = _rarity(texts)
    whole = sum(map(rarity, wanted)) or 1.0
    words = [_content(s.text) for s in sentences]
    shared = [sum(map(rarity, wanted & w)) for w in words]
    held = {p: sum(map(rarity, wanted & w)) / whole for p, w in texts.items()}
    titles = {s.passage.source.id: _content(s.passage.source.title) for s in sentences}
    named = {source: sum(map(rarity, wanted & w)) / whole for source, w in titles.items()}
    return {
        "overlap": np.array(shared) / whole,
        "density": np.array([part / max(sum(map(rarity, w)), 1.0) for part, w in zip(shared, words, strict=True)]),
        "paragraph_overlap": np.array([held[s.passage.id] for s in sentences]),
        "title_overlap": np.array([named[s.passage.source.id] for s in sentences]),
    }


def _content(text: str) -> set[str]:
    return {
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words(text)
    }


def _rarity(texts: Mapping[str, set[str]]) -> Callable[[str], float]:
    """How rare a word is among the texts."""
    counts = Counter(word for words in texts.values() for word in words)
    return lambda word: late.rarity(counts[word], len(texts))


def _shape(sentences: Sequence[Sentence]) -> dict[str, Matrix]:
    """Where a sentence stands and what it is made of; nothing in it knows the words of a language."""
    spans = {p.id: (p.start, max(p.end - p.start, 1)) for p in (s.passage for s in sentences)}
    shares = Counter(s.passage.source.id for s in sentences)
    starts = [s.start - spans[s.passage.id][0] for s in sentences]
    places = [start / spans[s.passage.id][1] for start, s in zip(starts, sentences, strict=True)]
    last = [s.end >= s.passage.start + len(s.passage.text.rstrip()) for s in sentences]
    return {
        "rank": np.array([1.0 / (1.0 + s.rank / 10.0) for s in sentences]),
        "sources_share": np.array([math.log(shares[s.passage.source.id]) for s in sentences]),
        "depth": np.array([math.log1p(s.start / 200.0) for s in sentences]),
        "first": np.array([float(start == 0) for start in starts]),
        "last": np.array(last, dtype=np.float64),
        "place": np.array(places),
        "length": np.array([math.log(s.length) for s in sentences]),
    }


def _findings(sentences: Sequence[Sentence], parts: LinearText) -> dict[str, Matrix]:
    """By its wording alone: does a sentence say what was found, and what that comes to?"""
    texts = [s.text for s in sentences]
    return {"finding": parts.log_odds(texts, RESULT, CONCLUSION), "conclusion": parts.log_odds(texts, CONCLUSION)}
