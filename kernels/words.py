"""What `unmask` is asked and answers: which words a row may become, and what the model would write there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Unmasked:
    """For each row [R]: the best word (int64), its probability, the entropy in nats and the lead over the second (fp32).

    A row that may become nothing has token -1 and zeros.
    """

    token: Tensor
    prob: Tensor
    entropy: Tensor
    margin: Tensor


@dataclass(frozen=True)
class Allowed:
    """The words that each row may become, one set behind the other: row r has ids[offsets[r] : offsets[r + 1]], ascending.

    `free` [R] bool marks the rows that may become any word; their sets are empty. Other empty sets allow nothing.
    """

    offsets: Tensor  # [R + 1] int32
    ids: Tensor  # int32
    free: Tensor  # [R] bool
    free_rows: Tensor  # [F] int64, those of `free`
    bound_rows: Tensor  # [R - F] int64, the others
    longest: int  # set; this and the next are numbers, so that a launch asks nothing of the device
    least: int = 0  # word of all sets
    most: int = 0

    @classmethod
    def of(cls, sets: Sequence[Sequence[int] | Tensor | None], device: torch.device | str = "cpu") -> Allowed:
        """Sets of word ids in any order, None for any word."""
        sorted_sets = [torch.as_tensor([] if s is None else s, dtype=torch.int64).unique() for s in sets]
        sizes = torch.tensor([0, *map(len, sorted_sets)])
        free = torch.tensor([s is None for s in sets], dtype=torch.bool)
        return cls(
            sizes.cumsum(0).to(device, torch.int32),
            torch.cat([torch.empty(0, dtype=torch.int64), *sorted_sets]).to(device, torch.int32),
            free.to(device),
            free.nonzero()[:, 0].to(device),
            (~free).nonzero()[:, 0].to(device),
            int(sizes.max()),
            min((int(s[0]) for s in sorted_sets if len(s)), default=0),
            max((int(s[-1]) for s in sorted_sets if len(s)), default=0),
        )


def inside_of(allowed: Allowed, ids: Tensor) -> Tensor:
    """[R, len(ids)] bool: which of the neighbouring words `ids`, ascending by one, each row may become."""
    inside = torch.zeros(len(allowed.free), len(ids), dtype=torch.bool, device=ids.device)
    row = torch.repeat_interleave(allowed.offsets.long().diff())
    word = allowed.ids.long() - ids[0]
    here = (word >= 0) & (word < len(ids))
    inside[row[here], word[here]] = True
    return inside | allowed.free[:, None]


def check_targets(each: Tensor, rows: Tensor) -> None:
    """ValueError when a row's loss [N] has no bound: its target lies outside its set."""
    lost = each.isposinf().nonzero()
    if len(lost):
        raise ValueError(
            f"the target of row {int(rows[lost[0, 0]])} is not among the words it is allowed; add it to its set"
        )


def gumbel(seed: int, rows: Tensor, ids: Tensor) -> Tensor:
    """Standard Gumbel noise [R, V] fp32 that depends on (seed, row, word) alone: a 32-bit mix (MurmurHash3's finaliser) of the three.

    The same numbers come from the kernel, in whatever tiles it walks.
    """
    mixed = _mix(keys(seed, rows)[:, None] ^ ids[None])
    uniform = ((mixed >> 8).float() + 0.5) * 2.0**-24
    return -(-uniform.log()).log()


def keys(seed: int, rows: Tensor) -> Tensor:
    """[R] int64 below 2 ** 32: what the noise of a row's words is mixed from."""
    return _mix(_mix(torch.full_like(rows, seed & 0xFFFFFFFF)) ^ rows)


def _mix(x: Tensor) -> Tensor:
    x = (x + 0x9E3779B9) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & 0xFFFFFFFF
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & 0xFFFFFFFF
    return x ^ (x >> 16)
