"""The attention kernel's list of work: which tiles of keys each tile of query rows reads, cut into pieces of equal length."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from ..visibility import DEAD, Layout, Marks, pool_rows, visible

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


@dataclass(frozen=True)
class _QueryTile:
    first_row: int
    num_packed: int
    first_packed: int
    first_tile: int
    num_whole: int
    num_tiles: int


_PLANS: WeakKeyDictionary[Layout, dict[Grain, Plan]] = WeakKeyDictionary()


def plan(layout: Layout, grain: Grain) -> Plan:
    """The plan of a layout; made once, then remembered for as long as the layout lives."""
    known = _PLANS.setdefault(layout, {})
    if grain not in known:
        known[grain] = _made(layout, grain)
    return known[grain]


def _made(layout: Layout, grain: Grain) -> Plan:
    query_tiles: list[_QueryTile] = []
    key_tiles: list[Tensor] = [torch.empty(0, 2, dtype=torch.int32)]
    for rows, extents in layout.canvases():
        tiles = _key_tiles(extents, grain.keys)
        some, whole = _seen(layout, rows, extents, tiles, grain.keys)
        for first in range(0, (rows.stop - rows.start) * grain.group, grain.rows):
            last = min(first + grain.rows, (rows.stop - rows.start) * grain.group) - 1
            span = slice(first // grain.group, last // grain.group + 1)
            order = _order(some[span].any(0), whole[span].all(0))
            start = sum(map(len, key_tiles))
            packed = (rows.stop - rows.start) * grain.group
            num_whole = int(whole[span].all(0).sum())
            query_tiles.append(_QueryTile(rows.start, packed, first, start, num_whole, len(order)))
            key_tiles.append(tiles[order])
    return _cut(query_tiles, torch.cat(key_tiles), grain, layout.extents.device)


def _key_tiles(extents: list[tuple[int, int]], size: int) -> Tensor:
    cut = [(at, min(size, start + length - at)) for start, length in extents for at in range(start, start + length, size)]
    return torch.tensor(cut, dtype=torch.int32).view(-1, 2)


def _seen(layout: Layout, rows: slice, extents: list[tuple[int, int]], tiles: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Whether each row sees some and all of each key tile, [rows, tiles] bool on the host; a short tile is never whole."""
    device = layout.keys.block.device
    slots = torch.arange(size) < tiles[:, 1:]  # [tiles, size]
    marks = _spread(layout.keys.at(pool_rows(extents, device)), slots.to(device))
    seen = visible(layout.rows.at(rows), marks, layout.visibility, layout.window)
    by_tile = seen.view(rows.stop - rows.start, len(tiles), size)
    return by_tile.any(-1).cpu(), by_tile.all(-1).cpu()


def _spread(marks: Marks, slots: Tensor) -> Marks:
    """Marks of the keys, with dead ones between them where a tile is short."""
    spread = [torch.full(slots.shape, DEAD, dtype=torch.int32, device=slots.device) for _ in marks]
    return Marks(*(wide.masked_scatter_(slots, mark).flatten() for wide, mark in zip(spread, marks, strict=True)))


def _order(some: Tensor, whole: Tensor) -> Tensor:
    return torch.cat([whole.nonzero().flatten(), (some & ~whole).nonzero().flatten()])


def _cut(tiles: list[_QueryTile], key_tiles: Tensor, grain: Grain, device: torch.device) -> Plan:
    piece = max(MIN_PIECE, -(-len(key_tiles) // max(grain.programs, 1)))
    pieces = [max(1, -(-tile.num_tiles // piece)) for tile in tiles]
    slots = [sum(pieces[:n]) for n in range(len(tiles))]
    # Pieces of the same keys stand side by side, so that query tiles that run together find them in the L2 cache.
    turns = sorted((turn, n) for n, count in enumerate(pieces) for turn in range(count))
    items = [_item(tiles[n], turn, pieces[n], slots[n]) for turn, n in turns]
    heads = [[t.first_row, t.num_packed, t.first_packed, slots[n], pieces[n]] for n, t in enumerate(tiles)]
    return Plan(
        key_tiles.to(device),
        torch.tensor(items, dtype=torch.int32).view(-1, 7).to(device),
        torch.tensor(heads, dtype=torch.int32).view(-1, 5).to(device),
        is_split=any(count > 1 for count in pieces),
    )


def _item(tile: _QueryTile, turn: int, count: int, slot: int) -> list[int]:
    start, end = (tile.first_tile + tile.num_tiles * n // count for n in (turn, turn + 1))
    partial = min(max(tile.first_tile + tile.num_whole, start), end)
    return [tile.first_row, tile.num_packed, tile.first_packed, start, partial, end, slot + turn]
