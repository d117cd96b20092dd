"""Self-speculative denoising: the model drafts several steps from one guess and checks them all in the next (SSD, arXiv 2510.04147)."""

from __future__ import annotations

from collections.abc import Iterator

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


def speculate(
    model: Model, canvas: Canvas, *, width: int = 4, cache: Cache = NO_CACHE, seed: int = 0
) -> Iterator[Frame]:
    """Denoise one unit a step, exactly as `denoise` by `one_at_a_time` would, with fewer calls of the model; a frame for every step.

    From a guess, the `width` likeliest units are committed one after the other, on paper; the canvases so made are guessed in one
    batch, each with the seed of its step. Each shows what the sequential rule does next: as long as that is what the paper says, the
    step is taken; where it differs, a new paper is begun from there. So a call settles at least one unit and at most `width`. It is
    exact where a guess depends on the canvas alone; a cache that keeps approximate state is another model.
    """
    (guess,), (kept,) = model.guess([canvas], [cache], [seed])
    step = 0
    while bool(canvas.open.any()):
        chain = _chain(guess, canvas, width)
        asked = [c for c in chain if bool(c.open.any())]
        seeds = [seed + step + 1 + n for n in range(len(asked))]
        guesses, caches = model.guess(asked, [kept] * len(asked), seeds) if asked else ([], [])
        for number, drafted in enumerate(chain):
            yield Frame(drafted, canvas.open & ready(canvas), guess, step, kept.report if kept else None)
            canvas, step = drafted, step + 1
            if number < len(guesses):
                guess, kept = guesses[number], caches[number]
            if number + 1 < len(chain) and not _same(_next(guess, canvas), chain[number + 1]):
                break


def _next(guess: Guess, canvas: Canvas) -> Canvas:
    return canvas.commit(one_at_a_time(guess, canvas, 0), guess.token, guess.source)


def _chain(guess: Guess, canvas: Canvas, width: int) -> list[Canvas]:
    """The canvases after one, two, ... `width` steps, if nothing learnt on the way changed the guess."""
    made: list[Canvas] = []
    while len(made) < width and bool(canvas.open.any()):
        canvas = _next(guess, canvas)
        made.append(canvas)
    return made


def _same(one: Canvas, two: Canvas) -> bool:
    return all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("tokens", "state", "source"))
