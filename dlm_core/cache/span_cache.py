"""What a model keeps of a canvas between guesses: keys and values of rows that did not change, owned row by row.

A `SpanCache` is a value. `SPAN_CACHE`, empty but for its settings, goes in; each guess hands back one that holds rows. Two
canvases may go on from the same cache (branches of one document): rows are copied on write, and a branch that is dropped frees
only its own.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..canvas.canvas import Canvas
from ..models.transformer import RowState


@dataclass(frozen=True)
class Report:
    """What the last guess cost: rows `recomputed` of `total`, and the largest relative `drift` seen at the edge of the fringe."""

    recomputed: int = 0
    total: int = 0
    drift: float = 0.0


@dataclass
class Tally:
    """Rows `computed` since it was begun, and those of the same canvases had each guess laid its own `anew`."""

    computed: int = 0
    anew: int = 0

    def add(self, computed: int, anew: int) -> None:
        self.computed += computed
        self.anew += anew


@dataclass(frozen=True)
class SpanCache:
    """Settings and what is kept. `exact` recomputes everything at every guess: it equals keeping nothing, bit for bit.

    For models that see both ways the state of a row depends on all others, so keeping it is an approximation: after an edit the
    `fringe` rows on both sides of what changed are computed anew, and while the outermost `probes` of them differ from their cached
    state by more than `bound` (relative, L2 of keys and values, worst layer), the fringe is doubled. Every `refresh`-th guess
    (0: never) computes all rows. A model with local evidence needs none of this: what it keeps is exact.
    """

    fringe: int = 64
    bound: float = 0.5
    probes: int = 4
    refresh: int = 0
    exact: bool = False
    kept: Any = None
    report: Report = field(default_factory=Report)


Cache = SpanCache | None
NO_CACHE: Cache = None
SPAN_CACHE = SpanCache()


class Arena:
    """Rows of keys and values, [S, Hkv, D] a layer, shared by every canvas of a model and counted by how many caches own them."""

    def __init__(self, layers: int, heads: int, width: int, dtype: torch.dtype, devices: Sequence[torch.device]):
        self.keys = [torch.empty(0, heads, width, dtype=dtype, device=d) for d in devices[:layers]]
        self.values = [torch.empty(0, heads, width, dtype=dtype, device=d) for d in devices[:layers]]
        self._owners = np.zeros(0, dtype=np.int32)
        # Owners die wherever the garbage collector finds them, on any thread: what they leave is noted here and taken back by `take`.
        self._released: deque[Tensor] = deque()

    @staticmethod
    def of(state: RowState) -> Arena:
        """An empty store for the rows of a model."""
        return Arena(len(state.devices), state.heads, state.width, state.dtype, state.devices)

    @property
    def owned(self) -> int:
        """Rows that somebody owns."""
        self._take_back()
        return int((self._owners > 0).sum())

    def take(self, count: int) -> Owned:
        """`count` rows that nobody owns; the arena grows when there are too few. In one run where it can be."""
        self._take_back()
        idle = np.flatnonzero(self._owners == 0)
        if len(idle) < count:
            self._grow(max(count - len(idle), len(self._owners) // 2, 1024))
            idle = np.flatnonzero(self._owners == 0)
        return self.own(torch.from_numpy(_one_run(idle, count)))

    def own(self, rows: Tensor) -> Owned:
        """The rows [N] int64, owned once more."""
        owned = Owned(self, rows)
        self._owners[rows.numpy()] += 1
        return owned

    def release(self, rows: Tensor) -> None:
        """They are owned once less, from the next `take` on; whoever holds an `Owned` leaves this to it."""
        self._released.append(rows)

    def _take_back(self) -> None:
        while self._released:
            self._owners[self._released.popleft().numpy()] -= 1

    def _grow(self, more: int) -> None:
        for pool in (self.keys, self.values):
            for layer, old in enumerate(pool):
                pool[layer] = torch.cat([old, old.new_zeros(more, *old.shape[1:])])
        self._owners = np.concatenate([self._owners, np.zeros(more, dtype=np.int32)])


def _one_run(idle: np.ndarray, count: int) -> np.ndarray:
    """The first run of `count` neighbours among the `idle` rows, or simply the first `count`."""
    if count == 0:
        return idle[:0]
    whole = np.flatnonzero(idle[count - 1 :] - idle[: len(idle) - count + 1] == count - 1)
    start = int(whole[0]) if len(whole) else 0
    return idle[start : start + count].copy()


class Owned:
    """Rows [N] of an arena that are owned as long as this object lives: a forward that fails gives back what it took."""

    def __init__(self, arena: Arena, rows: Tensor):
        self.rows = rows
        weakref.finalize(self, arena.release, rows)


@dataclass(frozen=True, eq=False)
class Kept:
    """The rows of one canvas in an arena: for row i its `slots[i]`, and the id, token and position it was computed for, all [T].

    `owned` are the same slots, in any order: they are free again when this is garbage. `age` counts the guesses since all rows
    were computed.
    """

    owned: tuple[Owned, ...]
    slots: Tensor
    ids: Tensor
    tokens: Tensor
    positions: Tensor
    age: int


@dataclass(frozen=True)
class Alignment:
    """A canvas against what is kept: `old` [T] the kept row of each row or -1, `stale` [T] bool those that must be computed."""

    old: Tensor
    stale: Tensor


def align(kept: Kept | None, canvas: Canvas, seen: Tensor) -> Alignment:
    """Match rows by id; a row whose token (`seen` [T], what the model reads there) differs is stale, and so is an open one."""
    if kept is None:
        nothing = torch.full((len(canvas),), -1)
        return Alignment(nothing, torch.ones_like(nothing, dtype=torch.bool))
    order = kept.ids.argsort()
    place = torch.searchsorted(kept.ids[order], canvas.ids).clamp_max(len(order) - 1)
    old = order[place]
    found = kept.ids[old] == canvas.ids
    old = torch.where(found, old, -1)
    return Alignment(old, ~found | (kept.tokens[old.clamp_min(0)] != seen) | canvas.open)


def widen(where: Tensor, fringe: int) -> Tensor:
    """[T] bool: `where` and the `fringe` rows before and behind each of its places."""
    if fringe <= 0 or not bool(where.any()):
        return where
    spread = torch.nn.functional.max_pool1d(where.float()[None, None], 2 * fringe + 1, 1, fringe)
    return spread[0, 0] > 0


def edges(live: Tensor, stale: Tensor, old: Tensor, probes: int) -> Tensor:
    """[N] the probe rows: the outermost `probes` of every run of live rows that are not stale and have a kept state."""
    inner = ~widen(~live, probes)
    return (live & ~inner & ~stale & (old >= 0)).nonzero()[:, 0]


def drift(fresh: Sequence[tuple[Tensor, Tensor]], cached: Sequence[tuple[Tensor, Tensor]]) -> float:
    """The relative L2 distance of keys and values [N, H, D] from their cached state, in the worst layer; 0 for no rows."""
    worst = 0.0
    for new, old in zip(fresh, cached, strict=True):
        for a, b in zip(new, old, strict=True):
            if a.numel():
                worst = max(worst, float((a.float() - b.float()).norm() / b.float().norm().clamp_min(1e-12)))
    return worst


def updated(cache: SpanCache, kept: Any, report: Report) -> SpanCache:
    return replace(cache, kept=kept, report=report)
