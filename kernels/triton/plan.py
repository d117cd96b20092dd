"""The attention kernel's list of work: which tiles of keys each tile of query rows reads, cut into pieces of equal length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..visibility import DEAD, Layout, visible

MIN_PIECE = 4  # key tiles; below this, merging the pieces costs more than the added programs bring


@dataclass(frozen=True)
class Grain:
    """How work is cut: query heads per key head (packed beside the rows), packed rows and keys of a tile, programs wanted."""

    group: int
    rows: int
    keys: int
    programs: int


@dataclass(frozen=True)
class Plan:
    """Work for one launch. Packed row m of a canvas is its query row m // group, head m % group of the group.

    `key_tiles`: of each query tile first those that all its rows see whole, then the others; unseen ones are left out.
    `items`: one program each (per key head); `slot` is where it leaves its part. `query_tiles`: whose parts belong together.
    """

    key_tiles: Tensor  # [T, 2] int32: first pool row, number of rows
    items: Tensor  # [W, 7] int32: first query row, packed rows, first packed row, first tile, first partial, end, slot
    query_tiles: Tensor  # [M, 5] int32: first query row, packed rows, first packed row, first slot, slots
    is_split: bool


class _QueryTile(NamedTuple):
    first_row: int
    num_packed: int
    first_packed: int
    key_tiles: Tensor  # [T, 2] int32, whole ones first
    num_whole: int


_PLANS: WeakKeyDictionary[Layout, dict[Grain, Plan]] = WeakKeyDictionary()


def plan(layout: Layout, grain: Grain) -> Plan:
    """The plan of a layout; made once, then remembered for as long as the layout lives."""
    known = _PLANS.setdefault(layout, {})
    if grain not in known:
        known[grain] = _made(layout, grain)
    return known[grain]


def _made(layout: Layout, grain: Grain) -> Plan:
    tiles = [tile for rows, extents in layout.canvases() for tile in _query_tiles(layout, rows, extents, grain)]
    first_tiles = [0, *accumulate(len(tile.key_tiles) for tile in tiles)]
    pieces = [_pieces(len(tile.key_tiles), first_tiles[-1], grain.programs) for tile in tiles]
    slots = [0, *accumulate(pieces)]
    # Pieces of the same keys stand side by side, so that query tiles that run together find them in the L2 cache.
    turns = sorted((turn, n) for n, count in enumerate(pieces) for turn in range(count))
    items = [_item(tiles[n], turn, pieces[n], first_tiles[n], slots[n]) for turn, n in turns]
    heads = [[*tile[:3], slots[n], pieces[n]] for n, tile in enumerate(tiles)]
    read_ahead = torch.zeros(2, 2, dtype=torch.int32)  # the kernel looks up one tile more than it works on
    return Plan(
        torch.cat([*(tile.key_tiles for tile in tiles), read_ahead]).to(layout.extents.device),
        torch.tensor(items, dtype=torch.int32).view(-1, 7).to(layout.extents.device),
        torch.tensor(heads, dtype=torch.int32).view(-1, 5).to(layout.extents.device),
        is_split=max(pieces, default=1) > 1,
    )


def _pieces(num_tiles: int, total: int, programs: int) -> int:
    """How many programs share a query tile: its part of those wanted, so that all of them run in one wave."""
    return max(1, min(num_tiles * programs // max(total, 1), num_tiles // MIN_PIECE))


def _item(tile: _QueryTile, turn: int, count: int, first_tile: int, slot: int) -> list[int]:
    start, end = (first_tile + len(tile.key_tiles) * n // count for n in (turn, turn + 1))
    partial = min(max(first_tile + tile.num_whole, start), end)
    return [*tile[:3], start, partial, end, slot + turn]


def _query_tiles(layout: Layout, rows: slice, extents: list[tuple[int, int]], grain: Grain) -> Iterator[_QueryTile]:
    tiles = _key_tiles(_live_runs(layout, extents), grain.keys)
    some, whole = _seen(layout, rows, tiles, grain.keys)
    packed = (rows.stop - rows.start) * grain.group
    for first in range(0, packed, grain.rows):
        span = slice(first // grain.group, (min(first + grain.rows, packed) - 1) // grain.group + 1)
        wholly = whole[span].all(0)
        order = torch.cat([wholly.nonzero(), (some[span].any(0) & ~wholly).nonzero()]).flatten()
        yield _QueryTile(rows.start, packed, first, tiles[order], int(wholly.sum()))


def _live_runs(layout: Layout, extents: list[tuple[int, int]]) -> Tensor:
    """The extents without their dead rows, [runs, 2] first row and length: what is dead is never even read."""
    alive = (layout.keys.block != DEAD).cpu()
    runs = [torch.empty(0, 2, dtype=torch.int64)]
    for start, length in extents:
        edges = torch.nn.functional.pad(alive[start : start + length].int(), (1, 1)).diff().nonzero().view(-1, 2)
        runs.append(torch.stack([start + edges[:, 0], edges[:, 1] - edges[:, 0]], 1))
    return torch.cat(runs)


def _key_tiles(runs: Tensor, size: int) -> Tensor:
    cut = [
        (at, min(size, start + length - at))
        for start, length in runs.tolist()
        for at in range(start, start + length, size)
    ]
    return torch.tensor(cut, dtype=torch.int32).view(-1, 2)


def _seen(layout: Layout, rows: slice, tiles: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Whether each row sees some and all of each key tile, [rows, tiles] bool on the host; a short tile is never whole."""
    # [tiles, size] pool rows; past the end of a short tile its last one stands in
    place = tiles[:, :1] + torch.arange(size).clamp(max=tiles[:, 1:] - 1)
    device = layout.keys.block.device
    marks = layout.keys.at(place.flatten().to(device))
    seen = visible(layout.rows.at(rows), marks, layout.visibility, layout.window)
    by_tile = seen.unflatten(1, place.shape)
    return by_tile.any(-1).cpu(), by_tile.all(-1).cpu() & (tiles[:, 1] == size)
