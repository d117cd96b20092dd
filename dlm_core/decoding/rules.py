"""Rules of `denoise`: which places to commit and which to open again. Each is a function of a guess, or makes one.

A slot that copies is settled whole: its places share one probability, and a rule takes all of them or none. In a `free` slot
every place stands for itself. Rules see both the same way, through `units`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas.canvas import Canvas, State
from .sampler import Guess, Rule, keep_all, ready


@dataclass(frozen=True)
class Units:
    """What is committed at once, among some places: `first` [U] a place of each unit, and `unit` [T] the unit of each place or -1."""

    first: Tensor
    unit: Tensor

    def where(self, chosen: Tensor) -> Tensor:
        """[T] bool: the places of the units `chosen` [U] bool."""
        return (self.unit >= 0) & chosen[self.unit.clamp_min(0)] if len(chosen) else self.unit >= 0


def units(canvas: Canvas, places: Tensor) -> Units:
    """The units that lie in `places` [T] bool, in the order of the canvas."""
    first: list[int] = []
    unit = torch.full((len(canvas),), -1)
    for slot in sorted(canvas.slots, key=lambda s: s.start):
        inside = [i for i in range(slot.start, slot.end) if places[i]]
        for group in [[i] for i in inside] if slot.spec.free else ([inside] if inside else []):
            unit[group] = len(first)
            first.append(group[0])
    return Units(torch.tensor(first, dtype=torch.long), unit)


def _by_units(choose: Callable[[Guess, Tensor, Canvas, int], Tensor]) -> Rule:
    """A commit rule from one that chooses among units: it gets a place of each [U] and says which of them [U] bool."""

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        found = units(canvas, canvas.open & ready(canvas))
        if not len(found.first):
            return torch.zeros(len(canvas), dtype=torch.bool)
        return found.where(choose(guess, found.first, canvas, step))

    return rule


def _best(score: Tensor, count: int) -> Tensor:
    """[U] bool: the `count` highest scores; of equal ones the earlier."""
    chosen = torch.zeros(len(score), dtype=torch.bool)
    chosen[score.argsort(descending=True, stable=True)[:count]] = True
    return chosen


def fixed_schedule(steps: int) -> Rule:
    """Commit an equal share of what is open at each of `steps` steps, the likeliest first (LLaDA's sampler, arXiv 2502.09992)."""

    def choose(guess: Guess, first: Tensor, canvas: Canvas, step: int) -> Tensor:
        left = max(steps - step, 1)
        return _best(guess.prob[first], -(-len(first) // left))

    return _by_units(choose)


def factor(limit: float) -> Rule:
    """Commit the n likeliest, for the largest n with (n + 1)(1 - p_n) < `limit`, and one at least (Fast-dLLM, arXiv 2505.22618).

    Under that bound drawing the n words apart equals drawing them together.
    """

    def choose(guess: Guess, first: Tensor, canvas: Canvas, step: int) -> Tensor:
        sure = guess.prob[first].sort(descending=True, stable=True).values
        fine = (torch.arange(len(sure)) + 2) * (1 - sure) < limit
        return _best(guess.prob[first], max(int(fine.int().cumprod(0).sum()), 1))

    return _by_units(choose)


def entropy_bound(most: float) -> Rule:
    """Commit the surest while the sum of their entropies less the largest stays at or under `most` nats, and one at least.

    That difference bounds what the words, drawn apart, fail to know of one another (EB-Sampler, arXiv 2505.24857).
    """

    def choose(guess: Guess, first: Tensor, canvas: Canvas, step: int) -> Tensor:
        spread = guess.entropy[first]
        rising = spread.sort(stable=True).values
        fine = rising.cumsum(0) - rising <= most  # sorted, the largest so far is the last
        return _best(-spread, max(int(fine.int().cumprod(0).sum()), 1))

    return _by_units(choose)


def margin(least: float) -> Rule:
    """Commit what leads its runner-up by `least` or more ("Train for the Worst, Plan for the Best", arXiv 2502.06768)."""

    def choose(guess: Guess, first: Tensor, canvas: Canvas, step: int) -> Tensor:
        return guess.margin[first] >= least

    return _by_units(choose)


def during(first: int, last: int, reopen: Rule) -> Rule:
    """`reopen` at steps [first, last) only, so that no place is opened again more than last - first times.

    ReMDM turns remasking on and off in the same way (arXiv 2503.00307: switch, loop): draft first, then mend, then finish.
    """

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        return reopen(guess, canvas, step) if first <= step < last else keep_all(guess, canvas, step)

    return rule


def low_quality(below: float, share: float = 1.0) -> Rule:
    """Reopen filled places that the model's quality head gives less than `below`, at most `share` of them
    (PRISM, arXiv 2510.01384; the cap is after ReMDM, arXiv 2503.00307).

    Reopens nothing for a model without such a head.
    """

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        if guess.quality is None:
            return keep_all(guess, canvas, step)
        return _reopened(canvas, guess.quality, below, share)

    return rule


def _reopened(canvas: Canvas, score: Tensor, below: float, share: float) -> Tensor:
    found = units(canvas, canvas.state == State.FILLED)
    worth = score[found.first]
    most = int(share * len(worth) + 1e-9)
    return found.where(_best(-worth, most) & (worth < below))
