"""How the live rows of a guess attend to the arena: gathered, canvas by canvas, or where it lies, by the attention kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from palimpsest.kernels import ops
from palimpsest.kernels.commit import Commit
from palimpsest.kernels.visibility import Layout, Marks, Visibility


class Seen(NamedTuple):
    """One canvas: positions of its live rows [L]; arena slots and positions [K] of all that they may see."""

    live: Tensor
    slots: Tensor
    positions: Tensor


def visible(block_length: int, queries: Tensor, keys: Tensor) -> Tensor | None:
    """[Q, K] bool from positions: which keys a query sees; None for all."""
    if not block_length:
        return None
    return keys[None] // block_length <= queries[:, None] // block_length


def mix(q: Tensor, k: Tensor, v: Tensor, seen: Tensor | None) -> Tensor:
    """Plain attention of q [Q, Hq, D] over k, v [K, Hkv, D], by `seen` [Q, K] bool."""
    seen = seen if seen is None else seen.to(q.device)
    mixed = F.scaled_dot_product_attention(
        q.transpose(0, 1)[None], k.transpose(0, 1)[None], v.transpose(0, 1)[None], attn_mask=seen, enable_gqa=True
    )
    return mixed[0].transpose(0, 1)


class Everywhere:
    """A `Commit` that was checked once, on the host, and is then used by every layer, on whatever device."""

    def __init__(self, commit: Commit):
        self._on = {commit.where.device: commit}

    def on(self, device: torch.device) -> Commit:
        if device not in self._on:
            self._on[device] = next(iter(self._on.values())).to(device)
        return self._on[device]


class Apart:
    """Each canvas's rows gathered and attended to on their own by torch's attention: fastest where no kernel reads a pool."""

    def __init__(self, block_length: int, canvases: Sequence[Seen]):
        self.bounds = bounds([len(c.live) for c in canvases])
        self.slots = [c.slots for c in canvases]
        self.masks = [visible(block_length, c.live, c.positions) for c in canvases]

    def __call__(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        spans = zip(self.bounds, self.bounds[1:], self.slots, self.masks, strict=False)
        return torch.cat([mix(q[a:b], keys[slots], values[slots], seen) for a, b, slots, seen in spans])


class Pooled:
    """All canvases in one launch of the attention kernel, which reads the arena [S, Hkv, D] where it lies."""

    def __init__(self, block_length: int, canvases: Sequence[Seen], size: int):
        block = torch.zeros(size, dtype=torch.long)
        for canvas in canvases if block_length else ():
            block[canvas.slots] = canvas.positions // block_length
        self.rows = [_marks(c.live // block_length if block_length else torch.zeros_like(c.live)) for c in canvases]
        self.extents = [runs(c.slots) for c in canvases]
        self.keys = _marks(block)
        self.visibility = Visibility.BLOCK_CAUSAL if block_length else Visibility.FULL
        self._on: dict[torch.device, Layout] = {}

    def __call__(self, q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        return ops.attention(q, keys, values, layout=self._layout(q.device))

    def _layout(self, device: torch.device) -> Layout:
        if device not in self._on:
            keys = Marks(*(m.to(device) for m in self.keys))
            self._on[device] = Layout.of(self.rows, self.extents, keys, visibility=self.visibility)
        return self._on[device]


def bounds(counts: Sequence[int]) -> list[int]:
    """Where each of several stretches of these lengths begins, and where the last ends."""
    ends: list[int] = torch.tensor([0, *counts]).cumsum(0).tolist()
    return ends


def runs(slots: Tensor) -> list[tuple[int, int]]:
    """Neighbouring slots, in any order, as (start, length)."""
    ordered = slots.sort().values
    starts = torch.cat([ordered.new_ones(min(len(ordered), 1)), (ordered.diff() != 1).long()]).nonzero()[:, 0]
    lengths = torch.cat([starts, torch.tensor([len(ordered)])]).diff()
    return list(zip(ordered[starts].tolist(), lengths.tolist(), strict=True))


def _marks(block: Tensor) -> Marks:
    zero = torch.zeros_like(block)
    return Marks.of(zero, block, zero)
