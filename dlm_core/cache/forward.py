"""Guessing on a canvas with the state of untouched rows kept: which rows to compute, what to keep of them, how far the rest drifted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from palimpsest.kernels import ops
from palimpsest.kernels.commit import Commit

from ..canvas.canvas import Canvas
from ..models.rope import Rotary
from ..models.transformer import RowState
from .attention import Apart, Everywhere, Pooled, Seen, bounds, mix, visible
from .span_cache import Alignment, Arena, Cache, Kept, Owned, Report, SpanCache, align, drift, edges, updated, widen

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]  # layer, q [N, Hq, D], k, v [N, Hkv, D] -> [N, Hq, D]


class Body(Protocol):
    """A transformer whose rows meet only in attention, so that any set of rows can be computed beside kept ones."""

    block_length: int  # rows see their own block and those before it; 0: rows see everything
    shift: int  # 1 when the word at a place is read off the row before it
    rotary: Rotary  # how cached keys turn when their rows move

    @property
    def row_state(self) -> RowState: ...

    def embed(self, tokens: Tensor) -> Tensor: ...

    def rows(self, x: Tensor, positions: Tensor, attend: Attend) -> Tensor: ...


@dataclass(frozen=True)
class Work:
    """One canvas of a guess: rows to compute `live` [L], rows to read `past` [P] and the arena slots and position shifts of those."""

    canvas: Canvas
    cache: SpanCache
    seen: Tensor
    alignment: Alignment
    live: Tensor
    past: Tensor


def hidden_states(body: Body, arena: Arena, mask: int, canvases: Sequence[Canvas], caches: Sequence[Cache]) -> Result:
    """Final hidden states of at least the rows that the open places need, and what to keep.

    What stands in an open place is `mask` to the model, whatever the canvas holds there. Canvases without a cache, or with an
    exact one, are computed whole.
    """
    plain = [i for i, c in enumerate(caches) if c is None or c.exact]
    spans = [i for i in range(len(caches)) if i not in plain]
    states: dict[int, tuple[Tensor, Tensor]] = {}
    kept: dict[int, Cache] = {}
    for i in plain:  # one by one: its bits must not depend on its neighbours
        rows = torch.arange(len(canvases[i]))
        states[i] = (rows, _whole(body, canvases[i], mask))
        cache = caches[i]
        kept[i] = cache and updated(cache, None, Report(len(rows), len(rows)))
    works = {i: _work(body, canvases[i], caches[i] or SpanCache(), mask) for i in spans}
    while works:
        found = _compute(body, arena, list(works.values()))
        again: dict[int, Work] = {}
        for (i, work), (hidden, cache) in zip(works.items(), found, strict=True):
            states[i], kept[i] = (work.live, hidden), cache
            if cache.report.drift > work.cache.bound and len(work.live) < len(work.canvas):
                again[i] = _work(body, work.canvas, replace(work.cache, fringe=2 * work.cache.fringe), mask)
        works = again
    restored = [_with_settings(kept[i], caches[i]) for i in range(len(canvases))]
    return [states[i] for i in range(len(canvases))], restored


Result = tuple[list[tuple[Tensor, Tensor]], list[Cache]]


def _with_settings(cache: Cache, asked: Cache) -> Cache:
    """A fringe that was widened for this guess is the asked one again for the next."""
    return cache and asked and replace(cache, fringe=asked.fringe)


def _whole(body: Body, canvas: Canvas, mask: int) -> Tensor:
    """[T, C]: every row computed, nothing kept. The definition that the kept ways are measured by."""
    seen = visible(body.block_length, canvas.positions, canvas.positions)
    x = body.embed(torch.where(canvas.open, mask, canvas.tokens))
    return body.rows(x, canvas.positions, lambda layer, q, k, v: mix(q, k, v, seen))


def _work(body: Body, canvas: Canvas, cache: SpanCache, mask: int) -> Work:
    seen = torch.where(canvas.open, mask, canvas.tokens)
    old: Kept | None = cache.kept
    if old is not None and cache.refresh and old.age >= cache.refresh:
        old = None
    alignment = align(old, canvas, seen)
    live = _from_block(body, canvas, alignment) if body.block_length else _around(body, canvas, alignment, cache.fringe)
    return Work(
        canvas,
        cache,
        seen,
        alignment,
        live.nonzero()[:, 0],
        ((alignment.old >= 0) & ~live & ~alignment.stale).nonzero()[:, 0],
    )


def _around(body: Body, canvas: Canvas, alignment: Alignment, fringe: int) -> Tensor:
    """[T] bool: what changed and its fringe, and the rows that the words of open places are read off."""
    live = widen(alignment.stale, fringe)
    if body.shift:
        live[:-1] |= canvas.open[1:]
    return live


def _from_block(body: Body, canvas: Canvas, alignment: Alignment) -> Tensor:
    """[T] bool: from the first block that changed to the last that is open: earlier ones are exact, later ones are not looked at."""
    block = canvas.positions // body.block_length
    wanted = canvas.open | (torch.cat([canvas.open[1:], canvas.open[:1]]) if body.shift else canvas.open)
    if not bool(wanted.any()):
        return torch.zeros_like(wanted)
    last = block[wanted].max()
    changed = alignment.stale & (block <= last)
    first = block[changed].min() if bool(changed.any()) else last
    return (block >= first) & (block <= last) | (wanted & (block < first))


def _compute(body: Body, arena: Arena, works: Sequence[Work]) -> list[tuple[Tensor, SpanCache]]:
    """One ragged forward of all live rows; returns hidden states [L, C] of each canvas and its new cache."""
    rows = [_taken(body, arena, w) for w in works]
    seen = [_seen(*each) for each in zip(works, rows, strict=True)]
    writing, pool = Everywhere(Commit.of(torch.cat([r.new for r in rows]))), arena.keys[0]
    mixed = Pooled(body.block_length, seen, len(pool)) if ops.takes_triton(pool) else Apart(body.block_length, seen)

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        keys, values = arena.keys[layer], arena.values[layer]
        ops.kv_commit(keys, values, k, v, writing.on(q.device))
        return mixed(q, keys, values)

    x = body.embed(torch.cat([w.seen[w.live] for w in works]))
    hidden = body.rows(x, torch.cat([w.canvas.positions[w.live] for w in works]), attend)
    first = bounds([len(w.live) for w in works])
    return [
        (hidden[first[i] : first[i + 1]], _keep(w, rows[i], _drift(body, arena, w, rows[i].new)))
        for i, w in enumerate(works)
    ]


class Taken(NamedTuple):
    """Arena slots of one canvas's `past` rows [P] and of the `new` ones [L] that are written; `owned` says so as long as it lives."""

    past: Tensor
    new: Tensor
    owned: tuple[Owned, ...]


def _taken(body: Body, arena: Arena, work: Work) -> Taken:
    past, owned = _past_slots(body, arena, work)
    new = arena.take(len(work.live))
    return Taken(past, new.rows, (*owned, new))


def _seen(work: Work, rows: Taken) -> Seen:
    positions = work.canvas.positions
    return Seen(positions[work.live], torch.cat([rows.past, rows.new]), positions[torch.cat([work.past, work.live])])


def _past_slots(body: Body, arena: Arena, work: Work) -> tuple[Tensor, tuple[Owned, ...]]:
    """[P] arena slots of the past rows, owned once more. Rows that moved get slots of their own, with their keys rotated."""
    kept: Kept | None = work.cache.kept
    if kept is None or not len(work.past):
        return torch.empty(0, dtype=torch.long), ()
    old = work.alignment.old[work.past]
    slots, shift = kept.slots[old].clone(), work.canvas.positions[work.past] - kept.positions[old]
    moved = shift != 0
    same = arena.own(slots[~moved])
    if not bool(moved.any()):
        return slots, (same,)
    fresh = arena.take(int(moved.sum()))
    _move(body, arena, slots[moved], fresh.rows, shift[moved])
    slots[moved] = fresh.rows
    return slots, (same, fresh)


def _move(body: Body, arena: Arena, old: Tensor, fresh: Tensor, shift: Tensor) -> None:
    """Copy keys and values from `old` to `fresh` slots and turn the copied keys by `shift` positions."""
    nothing = old.new_empty(0)
    turns = Everywhere(Commit.of(nothing, rows=fresh, shift=shift, inverse_frequencies=body.rotary.frequencies()))
    for keys, values in zip(arena.keys, arena.values, strict=True):
        keys[fresh], values[fresh] = keys[old], values[old]
        ops.kv_commit(keys, values, keys[:0], values[:0], turns.on(keys.device))


def _drift(body: Body, arena: Arena, work: Work, new: Tensor) -> float:
    """How much the outermost rows of the fringe differ from what was kept of them; 0 where what is kept is exact."""
    kept: Kept | None = work.cache.kept
    if kept is None or body.block_length:
        return 0.0
    live = torch.zeros(len(work.canvas), dtype=torch.bool)
    live[work.live] = True
    probes = edges(live, work.alignment.stale, work.alignment.old, work.cache.probes)
    mine, old = new[torch.searchsorted(work.live, probes)], work.alignment.old[probes]
    shift, theirs = work.canvas.positions[probes] - kept.positions[old], kept.slots[old]
    fresh = [(k[mine], v[mine]) for k, v in zip(arena.keys, arena.values, strict=True)]
    cached = [(body.rotary.turn(k[theirs], shift), v[theirs]) for k, v in zip(arena.keys, arena.values, strict=True)]
    return drift(fresh, cached)


def _keep(work: Work, taken: Taken, drifted: float) -> SpanCache:
    rows, slots = torch.cat([work.past, work.live]), torch.cat([taken.past, taken.new])
    age = 0 if work.cache.kept is None or not len(work.past) else work.cache.kept.age + 1
    canvas = work.canvas
    kept = Kept(taken.owned, slots, canvas.ids[rows], work.seen[rows], canvas.positions[rows], age)
    return updated(work.cache, kept, Report(len(work.live), len(canvas), drifted))
