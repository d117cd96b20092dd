"""Speculative denoising: several steps are drafted from one guess and checked all together in the next (SSD, arXiv 2510.04147).

The model drafts for itself, or another drafts for it; either way nothing is lost.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..cache.span_cache import NO_CACHE, Cache
from ..canvas.canvas import Canvas
from .rules import units
from .sampler import Frame, Guess, Model, ready


def one_at_a_time(guess: Guess, canvas: Canvas, step: int) -> Tensor:
    """The sequential commit rule: the likeliest open unit; of equal ones the earlier."""
    found = units(canvas, canvas.open & ready(canvas))
    chosen = torch.zeros(len(found.first), dtype=torch.bool)
    if len(chosen):
        chosen[guess.prob[found.first].argmax()] = True
    return found.where(chosen)


@dataclass(frozen=True)
class Tally:
    """What speculation saved: `steps` taken in `calls` of the model, and how many of the `drafted` steps were `accepted`."""

    steps: int
    calls: int
    drafted: int
    accepted: int


def speculate(
    model: Model,
    canvas: Canvas,
    *,
    width: int = 4,
    cache: Cache = NO_CACHE,
    seed: int = 0,
    draft: Tensor | None = None,
) -> Generator[Frame, None, Tally]:
    """Denoise one unit a step, exactly as `denoise` by `one_at_a_time` would, with fewer calls of the model; a frame for every step.

    From a guess, the `width` likeliest units are committed one after the other, on paper; the canvases so made are guessed in one
    batch, each with the seed of its step. Each shows what the sequential rule does next: as long as that is what the paper says, the
    step is taken; where it differs, a new paper is begun from there. So a call settles at least one unit and at most `width`. It is
    exact where a guess depends on the canvas alone; a cache that keeps approximate state is another model.

    `draft` [T] are words of another, quicker model for the open places, -1 where it has none. They stand on the paper in the place of
    this model's own first guess; what is accepted is this model's all the same.
    """
    (guess,), (kept,) = model.guess([canvas], [cache], [seed])
    step = drafted = accepted = 0
    calls = 1
    while bool(canvas.open.any()):
        chain = _chain(guess, canvas, width, draft)
        asked = [c for c in chain if bool(c.open.any())]
        seeds = [seed + step + 1 + n for n in range(len(asked))]
        guesses, caches = model.guess(asked, [kept] * len(asked), seeds) if asked else ([], [])
        calls, drafted, before = calls + bool(asked), drafted + len(chain) - 1, step
        for number, paper in enumerate(chain):
            yield Frame(paper, canvas.open & ready(canvas), guess, step, kept.report if kept else None)
            canvas, step = paper, step + 1
            if number < len(guesses):
                guess, kept = guesses[number], caches[number]
            if number + 1 < len(chain) and not _same(_next(guess, canvas), chain[number + 1]):
                break
        accepted += step - before - 1
    return Tally(step, calls, drafted, accepted)


def _next(guess: Guess, canvas: Canvas) -> Canvas:
    return canvas.commit(one_at_a_time(guess, canvas, 0), guess.token, guess.source)


def _chain(guess: Guess, canvas: Canvas, width: int, draft: Tensor | None) -> list[Canvas]:
    """The canvases after one, two, ... `width` steps, if nothing learnt on the way changed the guess, or the draft were right."""
    made: list[Canvas] = []
    while len(made) < width and bool(canvas.open.any()):
        # The first step is this model's own and sure; only what follows may be another's.
        words = guess if draft is None or not made else _with_draft(guess, draft)
        canvas = _next(words, canvas)
        made.append(canvas)
    return made


def _with_draft(guess: Guess, draft: Tensor) -> Guess:
    is_drafted = draft >= 0
    return replace(
        guess, token=torch.where(is_drafted, draft, guess.token), source=torch.where(is_drafted, -1, guess.source)
    )


def _same(one: Canvas, two: Canvas) -> bool:
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("tokens", "state", "source"))
