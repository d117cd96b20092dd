"""A loaded checkpoint of the table of families at work on the canvas: what it computes, read at the places of slots."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from palimpsest.kernels import ops
from palimpsest.kernels.words import Allowed

from ..cache.forward import Body, hidden_states
from ..cache.span_cache import Arena, Cache
from ..canvas.canvas import Canvas
from ..decoding.sampler import Model
from ..decoding.slot_length import by_guess, expand_and_delete
from ..decoding.slot_scores import Best
from .prompted import HostedTokenizer, PromptedDenoiser, Reader

ELASTIC_STEPS = 4  # before which a checkpoint that asks for places is asked


class HostedBody(Body, Protocol):
    """A body with its head, a weight [V, C]: `logits` [..., V] of hidden states [..., C]."""

    @property
    def head_weight(self) -> Tensor: ...

    def logits(self, hidden: Tensor) -> Tensor: ...


class HostedDenoiser(PromptedDenoiser):
    """A loaded checkpoint of the table of families; implements `sampler.Model`. `mask`, `delete` and `expand` are its own ids.

    A checkpoint that was taught to ask for more and fewer places (`expand`; DreamOn, arXiv 2602.01326) sets the length of free slots.
    """

    def __init__(
        self,
        body: HostedBody,
        tokenizer: HostedTokenizer,
        mask: int,
        delete: int,
        positions: int,
        expand: int | None = None,
    ):
        super().__init__(tokenizer, mask, delete, positions)
        self.body = body
        self.quality: torch.nn.Linear | None = None  # log-odds that a word is right, of its final state (`adapter`)
        self.arena = Arena.of(body.row_state)
        self._arena_is_mine = threading.Lock()  # several runs of a process may share this model
        self._elastic = None if expand is None else by_guess(expand_and_delete(expand, delete), steps=ELASTIC_STEPS)

    def resize(self, model: Model, canvas: Canvas, cache: Cache, step: int, seed: int) -> Canvas:
        canvas = super().resize(model, canvas, cache, step, seed)
        free = any(s.spec.free and not canvas.is_settled(n) for n, s in enumerate(canvas.slots))
        return self._elastic(model, canvas, cache, step, seed) if self._elastic and free else canvas

    def _read(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache], seeds: Sequence[int]
    ) -> tuple[list[Reader], list[Cache]]:
        with self._arena_is_mine:
            states, kept = hidden_states(self.body, self.arena, self.marks.mask, canvases, caches)
        return [_Computed(self.body, *each, self.quality) for each in states], kept


class _Computed:
    """A `Reader` of final hidden states [L, C] of some rows [L]."""

    def __init__(self, body: HostedBody, rows: Tensor, hidden: Tensor, quality: torch.nn.Linear | None):
        self.body, self.rows, self.hidden, self.quality = body, rows, hidden, quality

    def words(self, places: Tensor) -> Tensor | None:
        states = self._states(places - self.body.shift)
        return None if states is None else self.body.logits(states).float().log_softmax(-1).cpu()

    def best(self, places: Tensor, allowed: Tensor | None) -> Best | None:
        states = self._states(places - self.body.shift)
        if states is None:
            return None
        weight = self.body.head_weight
        sets = None if allowed is None else Allowed.of([allowed] * len(places), weight.device)
        unmasked = ops.unmask(states.to(weight.device), weight, allowed=sets)
        token, prob, entropy, margin = (
            t.cpu() for t in (unmasked.token, unmasked.prob, unmasked.entropy, unmasked.margin)
        )
        return Best(token, torch.full_like(token, -1), prob, entropy, margin)

    def standing(self, places: Tensor) -> Tensor | None:
        if self.quality is None or (states := self._states(places)) is None:
            return None
        return torch.sigmoid(self.quality(states.float())[:, 0]).cpu()

    def _states(self, rows: Tensor) -> Tensor | None:
        wanted = rows.clamp_min(0)
        found = torch.searchsorted(self.rows, wanted).clamp_max(len(self.rows) - 1)
        if not len(self.rows) or not bool((self.rows[found] == wanted).all()):
            return None
        return self.hidden[found.to(self.hidden.device)]
