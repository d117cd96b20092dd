"""The one denoising loop, and the rules that say which places to settle and which to open again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from .canvas import Canvas


@dataclass(frozen=True)
class Guess:
    """What the model would write, [T] each; only open places mean anything. `source` is the place copied from, or -1.

    `prob`, `entropy` (nats) and `margin` (best minus second) belong to the slot's joint distribution: its places share them.
    """

    token: Tensor
    prob: Tensor
    entropy: Tensor
    margin: Tensor
    source: Tensor


Rule = Callable[[Guess, Canvas, int], Tensor]  # -> [T] bool


@dataclass(frozen=True)
class Frame:
    """One picture of the film: the canvas after step `step`, the places that were open before it, and the guess it took."""

    canvas: Canvas
    active: Tensor
    guess: Guess
    step: int


class Model(Protocol):
    """A masked denoiser. `prepare` keeps what stays exact while only the draft changes; None recomputes everything."""

    def prepare(self, canvases: Sequence[Canvas]) -> Any: ...

    def guess(self, canvases: Sequence[Canvas], context: Any = None) -> list[Guess]: ...


def no_cache(model: Model, canvases: Sequence[Canvas]) -> Any:
    """The plain twin: every step recomputes question, evidence and draft."""
    return None


def evidence_cache(model: Model, canvases: Sequence[Canvas]) -> Any:
    """Encode question and evidence once for all steps: exact, because they never attend to the draft."""
    return model.prepare(canvases)


def keep_all(guess: Guess, canvas: Canvas, step: int) -> Tensor:
    """The reopen rule that reopens nothing."""
    return torch.zeros(len(canvas), dtype=torch.bool)


def settle_all(guess: Guess, canvas: Canvas, step: int) -> Tensor:
    """Commit every open place: one-step decoding."""
    return canvas.open


def threshold(least: float) -> Rule:
    """Commit places whose probability is at least `least` (Fast-dLLM, arXiv 2505.22618)."""

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        return canvas.open & (guess.prob >= least)

    return rule


EVEN = threshold(0.5)  # commit what is likelier than not


def low_confidence(below: float) -> Rule:
    """Reopen filled places that the model, asked again, gives less than `below`."""

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        return (canvas.state == 2) & (guess.prob < below)

    return rule


def denoise(
    model: Model,
    canvas: Canvas,
    *,
    schedule: int = 2,
    commit: Rule = EVEN,
    reopen: Rule = keep_all,
    cache: Callable[[Model, Sequence[Canvas]], Any] = evidence_cache,
) -> Iterator[Frame]:
    """Denoise one canvas in at most `schedule` steps; see `denoise_all`."""
    for frames in denoise_all(model, [canvas], schedule=schedule, commit=commit, reopen=reopen, cache=cache):
        yield frames[0]


def denoise_all(
    model: Model,
    canvases: Sequence[Canvas],
    *,
    schedule: int = 2,
    commit: Rule = EVEN,
    reopen: Rule = keep_all,
    cache: Callable[[Model, Sequence[Canvas]], Any] = evidence_cache,
) -> Iterator[list[Frame]]:
    """Denoise canvases side by side; yields a frame of each per step until all are settled.

    A slot waits for the slots it comes `after`. A step that commits nothing commits the surest slot, and the last step commits
    everything, so the loop ends after `schedule` steps (more only where slots wait for one another).
    """
    current, step = list(canvases), 0
    context = cache(model, current)
    while any(bool(c.open.any()) for c in current):
        guesses = model.guess(current, context)
        frames = [
            _advance(c, g, step, step + 1 >= schedule, commit, reopen) for c, g in zip(current, guesses, strict=True)
        ]
        current, step = [f.canvas for f in frames], step + 1
        yield frames


T = TypeVar("T")


def in_batches(canvases: Sequence[Canvas], work: Callable[[list[Canvas]], Iterable[T]], size: int = 16) -> list[T]:
    """`work` over canvases of like length, `size` at a time; results in the order given."""
    order = sorted(range(len(canvases)), key=lambda i: len(canvases[i]))
    results: dict[int, T] = {}
    for first in range(0, len(order), size):
        picked = order[first : first + size]
        results.update(zip(picked, work([canvases[i] for i in picked]), strict=True))
    return [results[i] for i in range(len(canvases))]


def _advance(canvas: Canvas, guess: Guess, step: int, last: bool, commit: Rule, reopen: Rule) -> Frame:
    active = canvas.open & ready(canvas)
    where = active if last else commit(guess, canvas, step) & active
    if not where.any() and active.any():
        best = torch.where(active, guess.prob, -1.0).argmax()
        slot = next(s for s in canvas.slots if s.start <= best < s.end)
        where = torch.zeros_like(active)
        where[slot.start : slot.end] = True
    settled = canvas.commit(where, guess.token, guess.source)
    if not last:
        settled = settled.reopen(reopen(guess, canvas, step))
    return Frame(settled, active, guess, step)


def ready(canvas: Canvas) -> Tensor:
    """[T] bool: the places of slots that wait for no unsettled slot."""
    waiting = [i for i, slot in enumerate(canvas.slots) if not all(canvas.is_settled(a) for a in slot.spec.after)]
    return ~canvas.slot_mask(waiting)
