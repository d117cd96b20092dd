"""What a CHOICE slot may become: answers of several tokens, scored together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

PADDING = -1


@dataclass(frozen=True)
class Sequences:
    """Allowed sequences as rows, in the order they were listed: `tokens` [M, L] int64, padded with -1 behind their ends."""

    tokens: Tensor

    @staticmethod
    def in_order(rows: Sequence[Sequence[int]]) -> Sequences:
        longest = max(map(len, rows), default=0)
        padded = [[*row, *[PADDING] * (longest - len(row))] for row in rows]
        return Sequences(torch.tensor(padded, dtype=torch.long).reshape(len(rows), longest))

    @property
    def lengths(self) -> Tensor:
        """[M] the length of each sequence."""
        return (self.tokens >= 0).sum(1)

    def mean_score(self, words: Tensor) -> Tensor:
        """[M] mean log-probability a token of each sequence, begun at the first place of words [L, V]; none may be longer than L."""
        size = self.tokens.shape[1]
        spoken = words[torch.arange(size), self.tokens.clamp_min(0)] * (self.tokens >= 0)
        return spoken.sum(1) / self.lengths
