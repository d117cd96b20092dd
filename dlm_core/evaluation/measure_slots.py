"""Measure what the agent asks of the slots of weights that stand, on titles that no training saw, and write it into their calibration.

    python -m palimpsest.dlm_core.evaluation.measure_slots --apart FOLDER --answers TRAIN [--weights FOLDER] [--count 100]

The agent asks a slot only where its cases were counted (`agent.writer.knows`). Besides, three signs that a given answer is wrong are
held against each other: its probability, the quality head, and the lift by evidence (its log-probability from the passage less that
from its own words alone); the one with the greatest mean AUROC over both sets is named. No weight is changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch

from ..canvas.canvas import Canvas
from ..decoding.sampler import in_batches
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..denoisers.slot_calibration import Calibration
from ..kinds import MaskKind, SlotSpec
from ..metrics import auroc, calibration, exact
from ..training.average import elsewhere, twins
from ..training.examples import Example
from ..training.gather import read_named
from ..training.material import Material
from .by_drawer import examples_of, figures, readings

ASKED = ("bridge", "heading", "column", "cell")
SIGNS = ("probability", "quality", "lift")


@dataclass(frozen=True)
class Answer:
    """An answer that was given, whether it is right, and what each of SIGNS says of it."""

    right: bool
    signs: tuple[float, ...]


def of_slots(denoiser: Denoiser, material: Material, count: int, seed: int) -> dict[str, float]:
    """Figures of each slot in ASKED: how many cases, what share is exact (or cited) and, where there is none, silent."""
    out: dict[str, float] = {}
    for name in ASKED:
        found = readings(denoiser, name, examples_of(name, material, count, seed))
        said = figures(found)
        out |= {f"{name}_{what}": said[what] for what in ("exact", "silent", "cited", "ece", "auroc") if what in said}
        out[f"{name}_cases"] = len(found)
    return out


@torch.inference_mode()
def answers(denoiser: Denoiser, examples: Sequence[Example], golds: Sequence[Sequence[str]]) -> list[Answer]:
    """What is answered to the first slot of each example; where it says nothing there is no answer."""
    asked = [str(e.question[0]) for e in examples]
    canvases = [_canvas(denoiser, q, e.passages[0]) for q, e in zip(asked, examples, strict=True)]
    said = in_batches(canvases, lambda batch: denoiser.rank(batch, 0, 1))
    given = [
        (n, r.fill.text, r.probability)
        for n, ranks in enumerate(said)
        for r in ranks[:1]
        if r.fill and r.fill.name is not None
    ]
    alone = [_canvas(denoiser, asked[n], f"{words}.") for n, words, _ in given]
    without = in_batches(alone, lambda batch: denoiser.rank(batch, 0, 1))
    stand = [canvases[n].write(0, denoiser.tokenizer.encode(words).ids) for n, words, _ in given]
    head = denoiser.told_by("quality")
    quality = in_batches(stand, lambda batch: [_quality(c, head) for c in batch])
    found = []
    for (n, words, probability), ranks, sure in zip(given, without, quality, strict=True):
        bare = max((r.probability for r in ranks if r.fill), default=0.0)
        signs = (probability, sure, _log(probability) - _log(bare))
        found.append(Answer(exact(words, golds[n]) > 0, signs))
    return found


def _canvas(denoiser: Denoiser, question: str, passage: str) -> Canvas:
    length = denoiser.calibration.length(MaskKind.TEXT)
    return denoiser.build([question], [("e", passage)], (SlotSpec(MaskKind.TEXT, length), " ", SlotSpec(MaskKind.CITE)))


def _quality(canvas: Canvas, denoiser: Denoiser) -> float:
    (guess,), _ = denoiser.guess([canvas])
    sign = guess.prob if guess.quality is None else guess.quality
    return float(sign[canvas.slots[0].start])


def _log(probability: float) -> float:
    return float(torch.tensor(probability).clamp_min(1e-9).log())


def signs_of(found: Sequence[Answer], name: str) -> dict[str, float]:
    """AUROC of each sign of a right answer, and ECE of those that are probabilities."""
    right = [float(a.right) for a in found]
    out: dict[str, float] = {f"sign_{name}_cases": len(found), f"sign_{name}_exact": 100 * mean(right)}
    for number, sign in enumerate(SIGNS):
        values = [a.signs[number] for a in found]
        out[f"sign_{name}_{sign}_auroc"] = auroc(values, right)
        if sign != "lift":
            out[f"sign_{name}_{sign}_ece"] = calibration(values, right)["ece"]
    return out


def best_sign(measured: dict[str, float], names: Sequence[str]) -> str:
    """The sign with the greatest mean AUROC over the sets."""
    return max(SIGNS, key=lambda sign: mean(measured[f"sign_{name}_{sign}_auroc"] for name in names))


def of_signs(
    denoiser: Denoiser, material: Material, train: Path, count: int, seed: int
) -> tuple[dict[str, float], str]:
    """The signs on twins of titles held out, and on paragraphs of a data set that no training reads."""
    rng = random.Random(f"signs/{seed}")
    pairs = material.rows["unanswerable_pairs"]
    shifted = read_named(train, "span_qa_newwiki")
    sets = {
        "twins": twins(rng.sample(pairs, min(count, len(pairs))), rng),
        "elsewhere": elsewhere(shifted, count, rng),
    }
    all_golds = {row["question"].strip(): row["answers"] for row in shifted}
    measured: dict[str, float] = {}
    for name, examples in sets.items():
        golds = [
            all_golds.get(str(e.question[0]), [e.words(0)]) if e.targets[0].spans else [] for e in examples
        ]  # a question that its passage does not answer has no right answer
        measured |= signs_of(answers(denoiser, examples, golds), name)
    return measured, best_sign(measured, list(sets))


def write(found: Calibration, weights: Path) -> None:
    """Put the calibration and its checksum into a folder of weights."""
    config = embedded_weights.check(weights)
    found.save(weights / embedded_weights.CALIBRATION)
    sums = dict(config["sha256"])  # type: ignore[call-overload]
    sums[embedded_weights.CALIBRATION] = hashlib.sha256(
        (weights / embedded_weights.CALIBRATION).read_bytes()
    ).hexdigest()
    (weights / "config.json").write_text(json.dumps({**config, "sha256": sums}, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.measure_slots", description=__doc__)
    parser.add_argument("--apart", type=Path, required=True, help="a folder that training.gather --apart wrote")
    parser.add_argument("--answers", type=Path, required=True, help="the folder of training files")
    parser.add_argument("--weights", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--count", type=int, default=100, help="cases of each slot, and questions of each set")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    denoiser, material = embedded_weights.load(args.weights), Material.load(args.apart)
    measured = of_slots(denoiser, material, args.count, args.seed)
    signs, sign = of_signs(denoiser, material, args.answers, args.count, args.seed)
    measured |= signs
    for name, value in measured.items():
        print(f"{name:34}{value:9.3f}")
    print(f"the best sign of a given answer: {sign}")
    old = denoiser.calibration
    write(replace(old, measured={**old.measured, **measured}), args.weights)


if __name__ == "__main__":
    main()
