"""DiffusionGemma on the canvas: uniform noise, pinned words, and the guess before as a condition of the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cache.span_cache import Cache, Report, SpanCache, updated
from ..canvas.canvas import Canvas
from ..decoding.slot_scores import Best, likeliest
from ..models.diffusion_gemma import NATIVE, DiffusionGemma, Prefix
from .prompted import HostedTokenizer, PromptedDenoiser, Reader, draft_start


@dataclass(frozen=True)
class Step:
    """What is kept of step number `count`: the encoded prefix, and the logits [n, V] of the draft's rows by their ids [n]."""

    prefix: Prefix
    ids: Tensor
    logits: Tensor
    count: int = 0


class GemmaDenoiser(PromptedDenoiser):
    """A loaded DiffusionGemma; implements `sampler.Model`.

    Everything before the draft is the encoder's, whose state is exact and is gone on from when evidence is added behind it. The
    draft is one canvas of the decoder. Only OPEN places are noised, from the seed of the step; FIXED and FILLED ones hold their words.
    Self-conditioning goes with the cache: without one, or with an exact one, every guess is a first guess.
    """

    def __init__(self, model: DiffusionGemma, tokenizer: HostedTokenizer):
        super().__init__(tokenizer, model.pad, model.end, model.positions, model.length)
        self.model = model

    def _read(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache], seeds: Sequence[int]
    ) -> tuple[list[Reader], list[Cache]]:
        pairs = [self._one(*each) for each in zip(canvases, caches, seeds, strict=True)]
        return [read for read, _ in pairs], [kept for _, kept in pairs]

    def _one(self, canvas: Canvas, cache: Cache, seed: int) -> tuple[Reader, Cache]:
        start = draft_start(canvas)
        step: Step | None = cache.kept if isinstance(cache, SpanCache) and not cache.exact else None
        read = canvas.tokens[:start].tolist()
        prefix = self.model.prefix(read, step.prefix.shared(read) if step else None)
        logits = self.model.logits(self._noised(canvas, seed)[start:], prefix, _conditioning(canvas.ids[start:], step))
        count = 0 if step is None else step.count + 1
        kept = None if cache is None or cache.exact else Step(prefix, canvas.ids[start:], logits, count)
        return _Decoded(logits, start), cache and updated(
            cache, kept, Report(len(canvas) - start + prefix.encoded, len(canvas))
        )

    def _noised(self, canvas: Canvas, seed: int) -> Tensor:
        """[T] tokens with a random word in every open place."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randint(self.model.vocabulary, (len(canvas),), generator=generator)
        return torch.where(canvas.open, noise, canvas.tokens)


class _Decoded:
    """A `Reader` of the decoder's logits [n, V] of the rows from `start` on."""

    def __init__(self, logits: Tensor, start: int):
        self.logits, self.start = logits, start

    def words(self, places: Tensor) -> Tensor:
        return self.logits[(places - self.start).to(self.logits.device)].float().log_softmax(-1).cpu()

    def best(self, places: Tensor, allowed: Tensor | None) -> Best:
        words = self.words(places)
        if allowed is not None:
            words = torch.full_like(words, -torch.inf).index_copy(1, allowed, words[:, allowed]).log_softmax(-1)
        return likeliest(words)

    def standing(self, places: Tensor) -> None:
        return None


def _conditioning(ids: Tensor, step: Step | None) -> Tensor | None:
    """[T, V]: the logits of the step before, row by row, divided by its temperature. None before the first step, and when a row is
    new: the model knows a hint of every row or none, and logits that say nothing would be a hint of any word at all.
    """
    if step is None:
        return None
    known = {row: n for n, row in enumerate(step.ids.tolist())}
    old = [known.get(row, -1) for row in ids.tolist()]
    if min(old) < 0:
        return None
    return step.logits[torch.tensor(old, device=step.logits.device)] / NATIVE.temperature(min(step.count, NATIVE.steps))
