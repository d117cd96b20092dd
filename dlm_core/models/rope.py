"""Rotary positions (RoFormer, arXiv 2104.09864), whole or partial, and the ways checkpoints stretch them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stretch:
    """How a checkpoint reads `factor` times more positions than the `trained` ones it was first trained on.

    "linear" slows every frequency (arXiv 2306.15595). "llama3" and "yarn" (arXiv 2309.00071) slow those that turn fewer than `slow`
    times over the trained positions, leave those that turn more than `fast` times, and blend between. `gain` multiplies queries and
    keys alike.
    """

    kind: str
    factor: float
    trained: int = 0
    slow: float = 1.0
    fast: float = 4.0
    gain: float = 1.0


@dataclass(frozen=True)
class Rotary:
    """Rotary positions over the first `width` of a head's values; the i-th of the first half is paired with the i-th of the second."""

    width: int
    theta: float
    stretch: Stretch | None = None

    def __call__(self, x: Tensor, positions: Tensor) -> Tensor:
        """Queries or keys x [N, H, D] turned to positions [N]."""
        turned = self.turn(x, positions)
        if self.stretch is None or self.stretch.gain == 1.0:
            return turned
        return torch.cat([turned[..., : self.width] * self.stretch.gain, turned[..., self.width :]], -1)

    def turn(self, x: Tensor, positions: Tensor) -> Tensor:
        """x [N, H, D] turned by positions [N] and not scaled; by a difference of positions, it is a key moved. Angles in fp32."""
        angles = positions.to(x.device, torch.float32)[:, None, None] * self.frequencies(x.device)  # [N, 1, width / 2]
        cos, sin = angles.cos(), angles.sin()
        one, two = x[..., : self.width].float().chunk(2, -1)
        turned = torch.cat([one * cos - two * sin, two * cos + one * sin], -1).to(x.dtype)
        return turned if self.width == x.shape[-1] else torch.cat([turned, x[..., self.width :]], -1)

    def frequencies(self, device: torch.device | None = None) -> Tensor:
        """[width / 2] fp32: radians a position."""
        even = torch.arange(0, self.width, 2, device=device, dtype=torch.float32)
        plain = self.theta ** (-even / self.width)
        if self.stretch is None:
            return plain
        kept = self._kept(plain, self.stretch)
        return plain * kept + plain / self.stretch.factor * (1 - kept)

    def _kept(self, plain: Tensor, stretch: Stretch) -> Tensor:
        """[width / 2]: how far each frequency stays as it is, from 0 (slowed) to 1 (kept)."""
        if stretch.kind == "linear":
            return torch.zeros_like(plain)
        if stretch.kind == "llama3":
            turns = stretch.trained * plain / (2 * math.pi)
            return ((turns - stretch.slow) / (stretch.fast - stretch.slow)).clamp(0, 1)
        first, last = (self._rank(stretch.trained / turns) for turns in (stretch.fast, stretch.slow))
        low, high = max(math.floor(first), 0), min(math.ceil(last), self.width - 1)
        rank = torch.arange(self.width // 2, device=plain.device, dtype=torch.float32)
        return 1 - ((rank - low) / max(high - low, 0.001)).clamp(0, 1)

    def _rank(self, wave: float) -> float:
        """Which frequency turns once in `wave` positions."""
        return self.width * math.log(wave / (2 * math.pi)) / (2 * math.log(self.theta))
