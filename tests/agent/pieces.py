"""Passages and sentences made by hand."""

from __future__ import annotations

import numpy as np

from palimpsest.agent.selection import Scored
from palimpsest.agent.sentences import Sentence, sentences_of
from palimpsest.retrieval.types import Hit, Passage, Source


def split(text: str) -> list[tuple[int, int]]:
    """Sentences end at ". "."""
    found, start = [], 0
    for piece in text.split(". "):
        end = min(start + len(piece) + 1, len(text))
        found.append((start, end))
        start = end + 1
    return found


def passage(source: str, text: str, start: int = 0) -> Passage:
    note = Source(id=source, uri=f"note:{source}", title=f"Note {source}", sha256=source * 8)
    return Passage(id=f"{source}-{start}", text=text, source=note, start=start, end=start + len(text))


def sentences(*passages: Passage) -> list[Sentence]:
    return sentences_of([Hit(passage=p, score=1.0) for p in passages], split)


def scored(found: list[Sentence], values: list[float], vectors: np.ndarray | None = None) -> list[Scored]:
    rows = np.eye(len(found), dtype=np.float32) if vectors is None else vectors
    return [Scored(s, v, row) for s, v, row in zip(found, values, rows, strict=True)]


ALDER = passage(
    "a", "Alder wood soon rots in the air. Under water it lasts for centuries. Short one. Many piles were driven there."
)


OAK = passage("b", "Posts of oak cost twice as much as alder. However, they last longer in air.", start=40)
