"""What a slot may become, as a trie over sequences of tokens: copied spans, answers of several tokens, marks of citations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

OPEN = -1  # in what is known of a slot: a place that is not settled


@dataclass(frozen=True)
class Sequences:
    """Allowed sequences as rows: `tokens` [M, L] int64, padded with -1 behind their ends; by `of`, sorted and without repeats.

    Sorted rows are a flat trie: what a prefix leaves is one run of rows. Diffusion settles places in any order, so more is asked
    than prefixes: which sequences agree with the places known so far, and what they allow at the others.
    """

    tokens: Tensor

    @staticmethod
    def of(sequences: Iterable[Sequence[int]]) -> Sequences:
        return Sequences.in_order(sorted({tuple(s) for s in sequences}))

    @staticmethod
    def in_order(rows: Sequence[Sequence[int]]) -> Sequences:
        """The sequences as they are listed; such rows answer everything but `after`."""
        longest = max(map(len, rows), default=0)
        padded = [[*row, *[OPEN] * (longest - len(row))] for row in rows]
        return Sequences(torch.tensor(padded, dtype=torch.long).reshape(len(rows), longest))

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> Tensor:
        """[M] the length of each sequence."""
        return (self.tokens >= 0).sum(1)

    def agreeing(self, known: Sequence[int]) -> Tensor:
        """[M] bool: the sequences of exactly len(known) tokens that hold what is settled in it; OPEN places may be anything."""
        row = torch.tensor(list(known), dtype=torch.long)
        if len(row) > self.tokens.shape[1]:
            return torch.zeros(len(self), dtype=torch.bool)
        fits = (self.tokens[:, : len(row)] == row) | (row == OPEN)
        return fits.all(1) & (self.lengths == len(row))

    def allowed(self, known: Sequence[int]) -> list[Tensor]:
        """For each place, the token ids it may hold given the settled ones, ascending; a settled place allows what it holds."""
        rows = self.tokens[self.agreeing(known)]
        return [rows[:, place].unique() if len(rows) else rows.new_empty(0) for place in range(len(known))]

    def after(self, prefix: Sequence[int]) -> Tensor:
        """The token ids that may follow `prefix`, ascending; -1 among them when a sequence ends there."""
        begun = torch.tensor(list(prefix), dtype=torch.long)
        if len(begun) > self.tokens.shape[1]:
            return torch.empty(0, dtype=torch.long)
        rows = self.tokens[(self.tokens[:, : len(begun)] == begun).all(1)]
        if len(begun) == self.tokens.shape[1]:
            return torch.full((min(len(rows), 1),), OPEN)
        return rows[:, len(begun)].unique()

    def score(self, words: Tensor, known: Sequence[int]) -> Tensor:
        """[M] log-probability of each sequence from those of words [L, V] at its places; -inf for those that do not agree."""
        fits, length = self.agreeing(known), len(known)
        scores = torch.full((len(self),), -torch.inf)
        rows = self.tokens[fits][:, :length]
        still = torch.tensor([k == OPEN for k in known])
        scores[fits] = (words[torch.arange(length), rows] * still).sum(1)
        return scores

    def mean_score(self, words: Tensor) -> Tensor:
        """[M] mean log-probability a token of each sequence, begun at the first place of words [L, V]; none may be longer than L."""
        size = self.tokens.shape[1]
        spoken = words[torch.arange(size), self.tokens.clamp_min(0)] * (self.tokens >= 0)
        return spoken.sum(1) / self.lengths
