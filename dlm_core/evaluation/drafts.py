"""How long a draft may be: wrong words found and mended, right ones left alone, by the number of tokens of the draft.

    python -m palimpsest.dlm_core.evaluation.drafts --apart FOLDER [--weights FOLDER] [--count 100]

Drafts of 3 to 22 sentences over passages of pages that no training saw, every slot holding words; some say what was true before. A slot
is opened where its lift is one at which the calibration doubts it, and all that are open are filled in one step. No verdict guards the
edit here, so `kept` is less than what `fit_repair` measures of whole repairs.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import torch

from ..canvas.canvas import Canvas
from ..decoding.sampler import in_batches
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser, draft_start, lift
from ..denoisers.slot_calibration import Calibration
from ..metrics import auroc, exact, percent
from ..training import questions
from ..training.examples import Example
from ..training.masking import corrupted, masked, realise
from ..training.material import Material
from .correction import denoised

LENGTHS = (192, 512)  # tokens at which a column ends: what the first generation took at most, and the goal
DRAWS = 40  # of a drawer, for each draft that is wanted


class Standing(NamedTuple):
    """A slot of a draft: how long the draft is, whether its words are right, their lift, and whether they are right afterwards."""

    tokens: int
    is_right: bool
    lift: float
    ends_right: bool


def stale_drafts(material: Material, count: int, seed: int) -> list[Example]:
    """Long drafts, each with a slot at least that says what was true before."""
    rng = random.Random(f"drafts/{seed}")
    found: list[Example] = []
    for _ in range(DRAWS * count):
        made = questions.long_draft(material, rng) if len(found) < count else None
        if made and any(t.now for t in made.targets):
            found.append(made)
    return found


@torch.inference_mode()
def read(denoiser: Denoiser, examples: Sequence[Example], doubted: float) -> list[Standing]:
    """Every slot of every draft; those of a lift below `doubted` are opened."""
    longest = denoiser.model.config.max_span
    shown = [corrupted(masked(e), [t.now or e.words(n) for n, t in enumerate(e.targets)]) for e in examples]
    canvases = [realise(one, denoiser.tokenizer, longest)[0] for one in shown]
    lifts = in_batches(canvases, lambda batch: lifts_of(denoiser, batch))
    opened = [
        canvas.reopen(canvas.slot_mask([n for n, value in enumerate(row) if value < doubted]))
        for canvas, row in zip(canvases, lifts, strict=True)
    ]
    ended = in_batches(opened, lambda batch: denoised(denoiser, batch))
    found = []
    for example, before, after, row in zip(examples, canvases, ended, lifts, strict=True):
        for number, (target, value) in enumerate(zip(example.targets, row, strict=True)):
            fill = after.fill(number, denoiser.tokenizer)
            again = fill is not None and exact(fill.text, [example.words(number)]) > 0
            ends_right = again if value < doubted else not target.now  # words that stayed are what they were
            found.append(Standing(len(before) - draft_start(before), not target.now, value, ends_right))
    return found


def lifts_of(denoiser: Denoiser, batch: list[Canvas]) -> list[list[float]]:
    """The lift of what stands in each slot that copies; 0 where a slot does not copy."""
    scored = denoiser._score(batch, [None] * len(batch))[0]
    return [
        [0.0 if s.spans is None else float(lift(canvas, slot, s.spans, s.none)) for slot, s in zip(canvas.slots, row, strict=True)]
        for canvas, row in zip(batch, scored, strict=True)
    ]  # fmt: skip


def doubted_below(calibration: Calibration) -> float:
    """The lift below which the calibration doubts what stands."""
    slope, offset = calibration.lift
    return (math.log(calibration.doubt / (1 - calibration.doubt)) - offset) / slope


def figures(found: Sequence[Standing]) -> dict[str, float]:
    """In percent: `mended` of the wrong slots, `kept` of the right ones; `auroc` of the lift; by length as well."""
    out: dict[str, float] = {}
    bounds = (0, *LENGTHS, 10**9)
    parts = {
        f"_{low}_to_{high}" if high < bounds[-1] else f"_over_{low}": (low, high) for low, high in pairwise(bounds)
    }
    for name, (low, high) in {"": (0, bounds[-1]), **parts}.items():
        some = [s for s in found if low < s.tokens <= high]
        wrong, right = [s for s in some if not s.is_right], [s for s in some if s.is_right]
        if wrong and right:
            out[f"slots{name}"] = len(some)
            out[f"mended{name}"] = percent(s.ends_right for s in wrong)
            out[f"kept{name}"] = percent(s.ends_right for s in right)
            out[f"auroc{name}"] = auroc([s.lift for s in some], [float(s.is_right) for s in some])
    return out


def measured(
    denoiser: Denoiser, material: Material, count: int, seed: int, by: Calibration | None = None
) -> dict[str, float]:
    """The figures; weights that were not calibrated doubt as another calibration does."""
    return figures(read(denoiser, stale_drafts(material, count, seed), doubted_below(by or denoiser.calibration)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.drafts", description=__doc__)
    parser.add_argument("--apart", type=Path, required=True, help="a folder that training.gather --apart wrote")
    parser.add_argument("--weights", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--count", type=int, default=100, help="drafts")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    denoiser = embedded_weights.load(args.weights)
    for name, value in measured(denoiser, Material.load(args.apart), args.count, args.seed).items():
        print(f"{name:24}{value:8.2f}")


if __name__ == "__main__":
    main()
