"""Who may see whom: the rules of `attention` and the layout of several canvases over one pool of keys and values.

The mask of `visible` is the definition; the kernel's list of work is computed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import torch
from torch import Tensor

DEAD = -1


class Role(IntEnum):
    """What a row belongs to; only the rule of local evidence looks at it."""

    QUESTION = 0
    DRAFT = 1
    EVIDENCE = 2


class Visibility(IntEnum):
    """Which live keys a live query sees; never a causal mask over tokens.

    FULL: all. EVIDENCE: those of the question, those of the query's own block, and all when the query is a draft's.
    BLOCK_CAUSAL: those of the query's block and of the blocks before it.
    """

    FULL = 0
    EVIDENCE = 1
    BLOCK_CAUSAL = 2


class Marks(NamedTuple):
    """What the rules look at: role, block and position of each row, each [rows] int32. Block -1: dead, sees and shows nothing."""

    role: Tensor
    block: Tensor
    position: Tensor

    @classmethod
    def of(cls, role: Sequence[int] | Tensor, block: Sequence[int] | Tensor, position: Sequence[int] | Tensor) -> Marks:
        """Marks of numbers; ValueError unless all three have one length."""
        marks = cls(*(torch.as_tensor(m, dtype=torch.int32) for m in (role, block, position)))
        if any(m.shape != marks.role.shape or m.dim() != 1 for m in marks):
            raise ValueError(
                f"role, block and position are {[list(m.shape) for m in marks]}; give three lists of one length"
            )
        return marks

    def at(self, where: Tensor | slice) -> Marks:
        """The marks of some rows."""
        return Marks(*(m[where] for m in self))


def _full(query: Marks, key: Marks) -> Tensor:
    return torch.ones(len(query.block), len(key.block), dtype=torch.bool, device=key.block.device)


def _evidence(query: Marks, key: Marks) -> Tensor:
    own = query.block[:, None] == key.block[None]
    return own | (key.role == Role.QUESTION)[None] | (query.role == Role.DRAFT)[:, None]


def _block_causal(query: Marks, key: Marks) -> Tensor:
    return key.block[None] <= query.block[:, None]


_RULES: dict[Visibility, Callable[[Marks, Marks], Tensor]] = {
    Visibility.FULL: _full,
    Visibility.EVIDENCE: _evidence,
    Visibility.BLOCK_CAUSAL: _block_causal,
}


def visible(query: Marks, key: Marks, visibility: Visibility, window: int = 0) -> Tensor:
    """Whether each query sees each key, [rows, keys] bool; with a window, only keys less than it away in position."""
    seen = _RULES[visibility](query, key)
    seen &= (query.block != DEAD)[:, None]
    seen &= (key.block != DEAD)[None]
    if window:
        seen &= (query.position[:, None] - key.position[None]).abs() < window
    return seen


@dataclass(frozen=True, eq=False)
class Layout:
    """The live rows of several canvases, one after the other, and the stretches of the pool that each canvas attends to.

    Canvas `c` has rows row_offsets[c]:row_offsets[c + 1] and extents extent_offsets[c]:extent_offsets[c + 1] (start in the
    pool, length). A stretch may be listed by several canvases (shared evidence, branches), in one canvas a pool row stands
    at most once; what is detached is simply not listed. `keys` marks every row of the pool. Built once per edit and
    shared by all layers: the first kernel call with it reads it back to the host to plan its work, so the marks that it was
    made of must not change while it lives.
    """

    row_offsets: Tensor  # [B + 1] int32
    extent_offsets: Tensor  # [B + 1] int32
    extents: Tensor  # [E, 2] int32
    rows: Marks  # [N]
    keys: Marks  # [S]
    visibility: Visibility
    window: int
    most_rows: int  # of one canvas; a number, so that choosing tiles asks nothing of the device

    @classmethod
    def of(
        cls,
        rows: Sequence[Marks],
        extents: Sequence[Sequence[tuple[int, int]]],
        keys: Marks,
        *,
        visibility: Visibility = Visibility.FULL,
        window: int = 0,
    ) -> Layout:
        """The layout of canvases, each with the marks of its live rows and its (start, length) extents, on the keys' device.

        ValueError when the lists differ in length, an extent leaves the pool or two extents of a canvas overlap.
        """
        _check(len(rows), extents, len(keys.block), window)
        flat = [stretch for canvas in extents for stretch in canvas]
        device = keys.block.device
        return cls(
            _offsets([len(m.block) for m in rows], device),
            _offsets([len(canvas) for canvas in extents], device),
            torch.tensor(flat, dtype=torch.int32, device=device).view(-1, 2),
            _joined(rows, device),
            keys,
            visibility,
            window,
            max((len(m.block) for m in rows), default=0),
        )

    @property
    def num_rows(self) -> int:
        """Live query rows of all canvases together."""
        return len(self.rows.block)

    @property
    def num_keys(self) -> int:
        """Rows of the pool."""
        return len(self.keys.block)

    def canvases(self) -> list[tuple[slice, list[tuple[int, int]]]]:
        """Per canvas, its rows and its (start, length) extents, as numbers on the host."""
        rows, bounds, extents = self.row_offsets.tolist(), self.extent_offsets.tolist(), self.extents.tolist()
        return [
            (slice(rows[c], rows[c + 1]), [(start, length) for start, length in extents[bounds[c] : bounds[c + 1]]])
            for c in range(len(rows) - 1)
        ]


def pool_rows(extents: Sequence[tuple[int, int]], device: torch.device) -> Tensor:
    """The rows of the pool in some extents, [keys] int64."""
    runs = [torch.arange(start, start + length, device=device) for start, length in extents]
    return torch.cat(runs) if runs else torch.empty(0, dtype=torch.int64, device=device)


def _check(num_canvases: int, extents: Sequence[Sequence[tuple[int, int]]], size: int, window: int) -> None:
    if len(extents) != num_canvases:
        raise ValueError(
            f"{num_canvases} canvases have rows and {len(extents)} have extents; give one list of each per canvas"
        )
    if window < 0:
        raise ValueError(f"window is {window}; give 0 for none or a positive reach")
    for number, canvas in enumerate(extents):
        _check_extents(number, sorted(canvas), size)


def _check_extents(number: int, extents: Sequence[tuple[int, int]], size: int) -> None:
    end = 0
    for start, length in extents:
        if length < 0 or start < 0 or start + length > size:
            raise ValueError(
                f"extent ({start}, {length}) of canvas {number} leaves the pool of {size} rows; list rows inside it"
            )
        if length and start < end:
            raise ValueError(
                f"extent ({start}, {length}) of canvas {number} overlaps the one before it; list a pool row once"
            )
        end = max(end, start + length)


def _offsets(lengths: Sequence[int], device: torch.device) -> Tensor:
    total = torch.tensor([0, *lengths]).cumsum(0)
    return total.to(device=device, dtype=torch.int32)


def _joined(rows: Sequence[Marks], device: torch.device) -> Marks:
    if not rows:
        return Marks(*(torch.empty(0, dtype=torch.int32, device=device) for _ in range(3)))
    return Marks(*(torch.cat(m).to(device) for m in zip(*rows, strict=True)))
