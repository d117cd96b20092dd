"""What a training believes in, and how its canvases are therefore read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..canvas.canvas import Canvas
from ..kinds import MaskKind
from ..models.embedded import Batch


@dataclass(frozen=True)
class Recipe:
    """Each belief can be switched off to see what it is worth (`dlm_core.evaluation.ablate`).

    `corruption` says whose mistakes a draft holds when it is to be corrected: the model's own ("policy"), random ones ("random"), or
    none ("none").
    """

    typed: bool = True  # a vector for the kind of mask; else one [MASK] for all
    complementary: bool = True
    outline: bool = True
    corruption: str = "policy"
    block: bool = True  # a passage sees the question and itself; else everything sees everything
    copy: bool = True  # slots copy spans of evidence; else they are written from the vocabulary

    def batch(self, canvases: Sequence[Canvas]) -> Batch:
        batch = replace(Batch.of(canvases), joint=not self.block)
        return batch if self.typed else replace(batch, kinds=batch.kinds.clamp_max(int(MaskKind.TEXT)))


EVERYTHING = Recipe()
