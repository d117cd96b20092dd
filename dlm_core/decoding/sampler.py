"""The one denoising loop, and its plainest rules; the others are in `rules`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ..cache.span_cache import SPAN_CACHE, Cache, Report
from ..canvas.canvas import Canvas


@dataclass(frozen=True)
class Guess:
    """What the model would write, [T] each, in open places and in filled ones read again. `source`: the place copied from, or -1.

    `prob`, `entropy` (nats) and `margin` (best minus second) of a slot that is settled whole belong to its joint distribution: its
    places share them. In a free slot every place has its own. `quality` [T], where a model has such a head, is the probability that
    what stands in a filled place is right.
    """

    token: Tensor
    prob: Tensor
    entropy: Tensor
    margin: Tensor
    source: Tensor
    quality: Tensor | None = None


Rule = Callable[[Guess, Canvas, int], Tensor]  # -> [T] bool
Resize = Callable[["Model", Canvas, Cache, int, int], Canvas]  # step and noise are the last two


@dataclass(frozen=True)
class Frame:
    """One step of a trajectory: the canvas after step `step`, the places [T] that were open before it, the guess it took and what
    that cost. Tokens and masks: what the model keeps between steps is not here, so that a trajectory can be held whole.
    """

    canvas: Canvas
    active: Tensor
    guess: Guess
    step: int
    report: Report | None = None


@dataclass(frozen=True)
class Progress:
    """How far one canvas has come, and what the next step goes on from; of all steps only the latest needs its cache."""

    frame: Frame
    cache: Cache = None


class Model(Protocol):
    """A denoiser. Absorbing or uniform noise is its own affair: it knows which places are open and never a mask id.

    `guess` answers for canvases side by side; `caches` hold what each keeps from its last guess (None: keep nothing), `seeds` the
    noise of each. Returned are the guesses and what to keep for the next.
    """

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]: ...


def keep_all(guess: Guess, canvas: Canvas, step: int) -> Tensor:
    """The reopen rule that reopens nothing."""
    return torch.zeros(len(canvas), dtype=torch.bool)


def threshold(least: float) -> Rule:
    """Commit places whose probability is at least `least` (Fast-dLLM, arXiv 2505.22618)."""

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        return canvas.open & (guess.prob >= least)

    return rule


EVEN = threshold(0.5)  # commit what is likelier than not


def same_length(model: Model, canvas: Canvas, cache: Cache, step: int, seed: int) -> Canvas:
    """The resize rule that resizes nothing."""
    return canvas


@dataclass(frozen=True)
class Plan:
    """How a canvas is denoised: at most `schedule` steps, and the rules that commit, reopen and resize."""

    schedule: int = 2
    commit: Rule = EVEN
    reopen: Rule = keep_all
    resize: Resize = same_length


def denoise(model: Model, canvas: Canvas, *, cache: Cache = SPAN_CACHE, seed: int = 0, **plan: Any) -> Iterator[Frame]:
    """Denoise one canvas by a `Plan` of these settings; see `denoise_all`."""
    for frames in denoise_all(model, [canvas], cache=cache, seed=seed, **plan):
        yield frames[0]


def denoise_all(
    model: Model, canvases: Sequence[Canvas], *, cache: Cache = SPAN_CACHE, seed: int = 0, **plan: Any
) -> Iterator[list[Frame]]:
    """Denoise canvases side by side by one `Plan(**plan)`; yields a frame of each per step until all are settled.

    A slot waits for the slots it comes `after`. A step that commits nothing commits the surest place or slot, and the last step commits
    everything, so the loop ends after `schedule` steps (more only where slots wait for one another).
    """
    for reached in advance_all(model, canvases, cache=cache, seed=seed, **plan):
        yield [p.frame for p in reached]


def advance_all(
    model: Model, canvases: Sequence[Canvas], *, cache: Cache = SPAN_CACHE, seed: int = 0, **plan: Any
) -> Iterator[list[Progress]]:
    """`denoise_all` for whoever goes on from where it ends: each step with what the model keeps of the canvases."""
    rules = Plan(**plan)
    reached = [begin(c, cache) for c in canvases]
    while any(bool(p.frame.canvas.open.any()) for p in reached):
        reached = step_all(model, reached, [rules] * len(reached), [seed] * len(reached))
        yield reached


def begin(canvas: Canvas, cache: Cache) -> Progress:
    """How it stands before the first step."""
    zeros = torch.zeros(len(canvas))
    guess = Guess(canvas.tokens, zeros, zeros, zeros, torch.full((len(canvas),), -1))
    return Progress(Frame(canvas, canvas.open, guess, -1), cache)


def step_all(model: Model, reached: Sequence[Progress], plans: Sequence[Plan], seeds: Sequence[int]) -> list[Progress]:
    """One denoising step of every canvas, in one call of the model."""
    steps = [p.frame.step + 1 for p in reached]
    noise = [seed + step for seed, step in zip(seeds, steps, strict=True)]
    sized = [
        plan.resize(model, p.frame.canvas, p.cache, step, seed)
        for p, plan, step, seed in zip(reached, plans, steps, noise, strict=True)
    ]
    guesses, caches = model.guess(sized, [p.cache for p in reached], noise)
    return [
        Progress(_advance(canvas, guess, step, plan, kept.report if kept else None), kept)
        for canvas, guess, step, plan, kept in zip(sized, guesses, steps, plans, caches, strict=True)
    ]


def sureness(frames: Sequence[Frame]) -> float:
    """The geometric mean of the probabilities at which a trajectory settled its places; 1 where there were none."""
    settled = [frame.guess.prob[frame.active & ~frame.canvas.open] for frame in frames]
    every = torch.cat(settled) if settled else torch.empty(0)
    return float(every.log().mean().exp()) if len(every) else 1.0


T = TypeVar("T")


def in_batches(canvases: Sequence[Canvas], work: Callable[[list[Canvas]], Iterable[T]], size: int = 16) -> list[T]:
    """`work` over canvases of like length, `size` at a time; results in the order given."""
    order = sorted(range(len(canvases)), key=lambda i: len(canvases[i]))
    results: dict[int, T] = {}
    for first in range(0, len(order), size):
        picked = order[first : first + size]
        results.update(zip(picked, work([canvases[i] for i in picked]), strict=True))
    return [results[i] for i in range(len(canvases))]


def _advance(canvas: Canvas, guess: Guess, step: int, plan: Plan, report: Report | None) -> Frame:
    active = canvas.open & ready(canvas)
    last = step + 1 >= plan.schedule
    where = active if last else plan.commit(guess, canvas, step) & active
    if not where.any() and active.any():
        where = _surest(canvas, guess, active)
    settled = canvas.commit(where, guess.token, guess.source)
    if not last:
        settled = settled.reopen(plan.reopen(guess, canvas, step))
    return Frame(settled, active, guess, step, report)


def _surest(canvas: Canvas, guess: Guess, active: Tensor) -> Tensor:
    """[T] bool: the likeliest active place, or the whole slot that it shares its probability with."""
    best = int(torch.where(active, guess.prob, -1.0).argmax())
    slot = next(s for s in canvas.slots if s.start <= best < s.end)
    where = torch.zeros_like(active)
    where[slice(best, best + 1) if slot.spec.free else slice(slot.start, slot.end)] = True
    return where & active


def ready(canvas: Canvas) -> Tensor:
    """[T] bool: the places of slots that wait for no unsettled slot; every place when all that is open waits in a circle."""
    waiting = [i for i, slot in enumerate(canvas.slots) if not all(canvas.is_settled(a) for a in slot.spec.after)]
    free = ~canvas.slot_mask(waiting)
    return free if bool((canvas.open & free).any()) else torch.ones_like(free)
