"""Rival revisions of one document, denoised side by side: they share all state that they have in common, and one is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..cache.span_cache import SPAN_CACHE, Cache
from ..canvas.canvas import Canvas
from .sampler import Frame, Model, advance_all

Score = Callable[[Sequence[Frame]], float]


@dataclass(frozen=True)
class Branch:
    """One candidate, its trajectory and its score; the last frame's canvas and `cache` go on from there."""

    number: int
    frames: tuple[Frame, ...]
    score: float
    cache: Cache

    @property
    def canvas(self) -> Canvas:
        return self.frames[-1].canvas


def confidence(frames: Sequence[Frame]) -> float:
    """The mean log-probability of the places a trajectory committed, each as it was then; -inf when nothing was possible."""
    logs = []
    for frame in frames:
        done = frame.active & ~frame.canvas.open
        logs.append(frame.guess.prob[done].log())
    return float(torch.cat(logs).mean()) if logs and sum(map(len, logs)) else 0.0


def rivals(
    model: Model,
    candidates: Sequence[Canvas],
    *,
    cache: Cache = SPAN_CACHE,
    score: Score = confidence,
    seed: int = 0,
    **plan: Any,
) -> list[Branch]:
    """Denoise the candidates in one batch, each going on from `cache`; the best first, ties in the order given.

    All read the same kept rows and write only their own, so a dropped branch frees what it wrote and changes nothing (copy on write).
    """
    frames: list[list[Frame]] = [[] for _ in candidates]
    caches: list[Cache] = [cache] * len(candidates)
    for reached in advance_all(model, candidates, cache=cache, seed=seed, **plan):
        caches = [p.cache for p in reached]
        for trajectory, p in zip(frames, reached, strict=True):
            trajectory.append(p.frame)
    branches = [Branch(i, tuple(f), score(f), kept) for i, (f, kept) in enumerate(zip(frames, caches, strict=True))]
    return sorted(branches, key=lambda b: -b.score)
