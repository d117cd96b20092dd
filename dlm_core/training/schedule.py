"""How a training goes on: batches that are a function of seed and pool, the learning rate, and where a run stands on disk."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..canvas.tokenizer import CONTROL
from ..kinds import VERDICTS, MaskKind
from .examples import Example

POOL = 384  # examples drawn together, sorted by length and cut into batches


LETTERS = 4.4  # of a token of English, about: how long a canvas will be


ROWS_OF = {name: CONTROL[name] for name in VERDICTS}


@dataclass
class Progress:
    """Where a run stands: the pool and the batch within it that come next, steps, seconds and examples so far."""

    pool: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    examples: int = 0


Draw = Callable[[random.Random], Example]


def batches(draw: Draw, pool: int, seed: int, tokens: int) -> list[list[Example]]:
    """The batches of one pool of examples; a function of (seed, pool) alone, so a resumed run sees what it would have seen."""
    rng = random.Random(f"{seed}/{pool}")
    return batches_of([draw(rng) for _ in range(POOL)], tokens, rng)


def batches_of(examples: Sequence[Example], tokens: int, rng: random.Random, most: int = 2**30) -> list[list[Example]]:
    """The examples by length, cut where the padded batch is about `tokens` places or has `most` canvases, in any order."""
    cut: list[list[Example]] = [[]]
    rows = 0
    for size, _, example in sorted((_size(e), n, e) for n, e in enumerate(examples)):
        rows += 1 + _is_several(example)
        if cut[-1] and (rows * size > tokens or rows > most):  # the longest comes last and sets the width
            cut.append([])
            rows = 1 + _is_several(example)
        cut[-1].append(example)
    rng.shuffle(cut)
    return cut


def _size(example: Example) -> float:
    """About how many tokens the canvas has."""
    letters = sum(len(p) for p in (*example.passages, *example.question, *example.draft) if isinstance(p, str))
    return letters / LETTERS + sum(s.length for s in example.slots) + 6


def _is_several(example: Example) -> bool:
    return sum(s.kind not in (MaskKind.CITE, MaskKind.CHOICE) for s in example.slots) > 1


def rate(share: float) -> float:
    """Warm-up over 3 % of the budget, then a cosine down to 4 % of the peak."""
    if share < 0.03:
        return max(share / 0.03, 0.02)
    return 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - 0.03) / 0.97)))


def save(path: Path, model: Mapping[str, Tensor], optim: torch.optim.AdamW, progress: Progress) -> None:
    """Write the checkpoint beside its place and rename it: a kill leaves the old one or the new one."""
    state = {"model": dict(model), "optimizer": optim.state_dict(), "progress": vars(progress)}
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
