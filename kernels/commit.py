"""What `kv_commit` does to a pool: rows that are written, and cached keys that turn with a shift of their positions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Commit:
    """Pool rows to write and cached keys to turn, each row at most once and never both; checked once, used for every layer.

    Rotary embedding (Su et al., 2104.09864) turns each pair of channels by position x frequency, and turns add up: a key
    cached at position p and turned by `shift` is the key at p + shift. Angles are taken in fp64, the turn in fp32, and
    the key is rounded to its own type each time. Channel i pairs with i + rotary_dim / 2 (GPT-NeoX, Llama), or 2 i with
    2 i + 1 when `adjacent` (GPT-J); pairs beyond the last frequency stay. So: full, rotary_dim = head size; partial,
    rotary_dim less than it; proportional (Gemma), rotary_dim = head size and fewer frequencies than pairs.
    """

    where: Tensor  # [M] int64
    rows: Tensor  # [R] int64
    turns: Tensor  # [R] int32, row of cos and sin
    cos: Tensor  # [shifts, P] fp32
    sin: Tensor
    rotary_dim: int
    adjacent: bool
    end: int  # one past the highest pool row

    @classmethod
    def of(
        cls,
        where: Tensor,
        *,
        rows: Tensor | None = None,
        shift: Tensor | int = 0,
        inverse_frequencies: Tensor | None = None,
        rotary_dim: int | None = None,
        adjacent: bool = False,
    ) -> Commit:
        """Write to `where` [M]; turn the keys in `rows` [R] by `shift` (one, or [R]), at `inverse_frequencies` [P] radians
        per position. `rotary_dim` is 2 P unless given. Tensors are taken to the device of `where`. ValueError when a row
        is negative or named twice, or rows are to turn and no frequencies are given.
        """
        where = where.to(torch.int64)
        rows = (where.new_empty(0) if rows is None else rows).to(where)
        if inverse_frequencies is None:
            if len(rows):
                raise ValueError(f"{len(rows)} rows are to turn at no frequencies; give inverse_frequencies")
            inverse_frequencies = where.new_empty(0)
        rotary_dim = 2 * len(inverse_frequencies) if rotary_dim is None else rotary_dim
        if 2 * len(inverse_frequencies) > rotary_dim:
            raise ValueError(
                f"{len(inverse_frequencies)} frequencies want {2 * len(inverse_frequencies)} channels, not {rotary_dim}"
            )
        shifts, turns = torch.as_tensor(shift, device=where.device).expand(len(rows)).unique(return_inverse=True)
        angles = shifts.double()[:, None] * _turning(inverse_frequencies).to(where.device).double()
        cos, sin = angles.cos().float(), angles.sin().float()
        return cls(where, rows, turns.int(), cos, sin, rotary_dim, adjacent, _checked_end(where, rows))

    def to(self, device: torch.device) -> Commit:
        """The same on another device; checked already."""
        moved = {name: getattr(self, name).to(device) for name in ("where", "rows", "turns", "cos", "sin")}
        return replace(self, **moved)

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """The channels that turn together, [P] and [P]."""
        first = torch.arange(self.cos.shape[1], device=self.cos.device)
        return (2 * first, 2 * first + 1) if self.adjacent else (first, first + self.rotary_dim // 2)


def _turning(frequencies: Tensor) -> Tensor:
    """Without the zeros at the end: those channels stay, and need not be read."""
    moving = frequencies.nonzero()
    return frequencies[: int(moving.max()) + 1 if len(moving) else 0]


def _checked_end(where: Tensor, rows: Tensor) -> int:
    named, count = torch.cat([where, rows]).unique(return_counts=True)
    if not len(named):
        return 0
    if int(named[0]) < 0:
        raise ValueError(f"pool row {int(named[0])} is negative; name rows from 0")
    if int(count.max()) > 1:
        raise ValueError(f"pool row {int(named[count.argmax()])} is named twice; write or turn each row once")
    return int(named[-1]) + 1
