"""A tiny random denoiser over the real vocabulary, and a toy one that knows the answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from palimpsest.dlm_core.cache.span_cache import NO_CACHE, Cache
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.canvas.tokenizer import Tokenizer
from palimpsest.dlm_core.decoding.sampler import Guess
from palimpsest.dlm_core.denoisers.embedded import Denoiser
from palimpsest.dlm_core.denoisers.embedded_layout import build_canvas
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.models.embedded import EmbeddedConfig, EmbeddedModel
from palimpsest.dlm_core.training.minilm import package_folder

SMALL = EmbeddedConfig(width=32, layers=2, heads=4, feed_forward=48)
TEXT = SlotSpec(MaskKind.TEXT, max_length=4)
NUMBER = SlotSpec(MaskKind.NUMBER, max_length=4)
ENTITY = SlotSpec(MaskKind.ENTITY, max_length=4)
CITE = SlotSpec(MaskKind.CITE)


@lru_cache(maxsize=1)
def tokenizer() -> Tokenizer:
    return Tokenizer(package_folder() / "tokenizer.json")


def small_model(seed: int = 0) -> EmbeddedModel:
    torch.manual_seed(seed)
    return EmbeddedModel(SMALL).eval()


def small_denoiser(seed: int = 0) -> Denoiser:
    return Denoiser(small_model(seed), tokenizer())


def sheet(
    question: str = "How fast is it?", passages: Sequence[str] = ("It runs at 1,288 knots.",), draft: Any = (TEXT, CITE)
) -> Canvas:
    return build_canvas(tokenizer(), [question], [(f"p{n}", p) for n, p in enumerate(passages)], draft)


class ToyDenoiser:
    """Fills every open place with `token`, each slot with its own confidence; `history` keeps what it was asked."""

    def __init__(self, confidence: dict[int, float], token: int = 2000):
        self.confidence, self.token = confidence, token
        self.history: list[list[int]] = []

    def guess(
        self, canvases: Sequence[Canvas], caches: Sequence[Cache] | None = None, seeds: Sequence[int] | None = None
    ) -> tuple[list[Guess], list[Cache]]:
        self.history.append([int(c.open.sum()) for c in canvases])
        return [self._guess(c) for c in canvases], [NO_CACHE] * len(canvases)

    def _guess(self, canvas: Canvas) -> Guess:
        prob = torch.zeros(len(canvas))
        for number, slot in enumerate(canvas.slots):
            prob[slot.start : slot.end] = self.confidence[number]
        tokens = torch.full((len(canvas),), self.token)
        return Guess(tokens, prob, 1 - prob, prob, torch.full((len(canvas),), -1))
