"""The last step of a plan's training: probabilities and the quality head of weights that `run_plan` wrote.

    python -m palimpsest.dlm_core.training.calibrate_plan --weights RAW --data TRAIN --apart FOLDER --out WEIGHTS

`--apart` holds titles that the training did not see (`gather --apart`). Spans and "nothing" are fitted as `average` fits them, on twins
of such titles and on another data set's paragraphs; every CHOICE by what it asks; then the quality head, on the frozen body's own
fillings read with those probabilities. How far each can be believed is drawn beside the weights.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ..decoding.sampler import in_batches
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..denoisers.slot_calibration import PLAIN, TEMPERATURES, Calibration, KindCalibration
from ..kinds import KIND_SLOT, RELEVANCE_SLOT, SCOPE_SLOT, VERDICT_SLOT, SlotSpec
from ..metrics import auroc, calibration
from ..models.embedded import EmbeddedModel
from .average import COPYING, cases, fitted
from .calibrate_embedded import HIDDEN, Recorder, fit_quality, judged
from .examples import Example
from .masking import masked, realise
from .material import Material
from .plan import DRAWERS
from .reliability import Curve, put

ASKED: dict[str, tuple[SlotSpec, tuple[str, ...]]] = {  # what is asked, its slot, and drawers that ask it
    "verdict": (
        VERDICT_SLOT,
        ("entailment", "table", "fever", "siblings", "qualifier", "quantity", "denied", "clause", "elsewhere", "trial"),
    ),
    "relevance": (RELEVANCE_SLOT, ("from_answers", "from_sentences", "from_sections", "from_titles", "from_trials")),
    "kind": (KIND_SLOT, ("kind",)),
    "scope": (SCOPE_SLOT, ("scope",)),
}
FITTED = (
    "verdict",
    "relevance",
)  # of the others all cases are of one drawer, and a fit to them is a fit to its wordings
QUALITY = {  # the mix that the quality head learns from
    "question": 0.2, "twin": 0.15, "span": 0.08, "among": 0.08, "hops": 0.05, "statement": 0.15, "repair": 0.08, "phrase": 0.12,
    "long_draft": 0.04, "dated": 0.02, "cell": 0.03,
}  # fmt: skip
ANSWERED = math.log(
    2
)  # two of three questions asked of passages that a search found have their answer there, of the cases half
OFFSETS = tuple(0.25 * n for n in range(-6, 7))


def some(mix: Mapping[str, float], material: Material, count: int, rng: random.Random) -> list[Example]:
    """`count` examples of drawers weighed by `mix`, less those of more passages than a canvas holds."""
    found: list[Example] = []
    while len(found) < count:
        name = rng.choices(list(mix), list(mix.values()))[0]
        made = DRAWERS[name](material, rng)
        if made is not None and len(made.passages) <= 8:
            found.append(made)
    return found


def read_choices(denoiser: Denoiser, examples: Sequence[Example]) -> tuple[list[Tensor], list[int]]:
    """Logits [A] (up to a constant) of every slot of examples that hold only CHOICE slots, and which answer is right."""
    plain = Denoiser(denoiser.model, denoiser.tokenizer)
    canvases = [realise(masked(e), denoiser.tokenizer, 1)[0] for e in examples]
    read = in_batches(canvases, plain.all_choices)
    logits = [torch.tensor(p).clamp_min(1e-9).log() for slots in read for p in slots]
    golds = [s.allowed.index(t.words) for e in examples for s, t in zip(e.slots, e.targets, strict=True)]
    return logits, golds


def fit_choice(logits: Sequence[Tensor], golds: Sequence[int]) -> KindCalibration:
    """The temperature, and the offset of the last answer, that give the right answers the least mean loss."""
    rows, right = torch.stack(list(logits)), torch.tensor(golds)

    def cost(fit: KindCalibration) -> float:
        return float(cross_entropy(fit.moved(rows) / fit.temperature, right))

    return min((KindCalibration(t, offset=offset) for offset in OFFSETS for t in TEMPERATURES), key=cost)


def curve_of(fit: KindCalibration, logits: Sequence[Tensor], golds: Sequence[int], name: str) -> Curve:
    """How often the likeliest answer is right, by its probability."""
    chosen_logs = [fit.chosen(row) for row in logits]
    return Curve(
        name,
        [float(t.max().exp()) for t in chosen_logs],
        [float(int(t.argmax()) == g) for t, g in zip(chosen_logs, golds, strict=True)],
    )


def measures(curve: Curve) -> dict[str, float]:
    """Accuracy, ECE, cases and, where some are right and some wrong, AUROC."""
    found = {
        "accuracy": 100 * sum(curve.right) / len(curve.right),
        "ece": calibration(curve.believed, curve.right)["ece"],
        "cases": len(curve.right),
    }
    if 0 < sum(curve.right) < len(curve.right):
        found["auroc"] = auroc(curve.believed, curve.right)
    return {f"{curve.name}_{what}": value for what, value in found.items()}


def more_often_answered(found: Calibration) -> Calibration:
    """The log-odds of an answer, moved from the cases of the fit, half of which are silent, to what a search finds for a question."""
    moved = {k: replace(v, offset=v.offset + ANSWERED) for k, v in found.kinds.items() if k in COPYING}
    return replace(found, kinds={**found.kinds, **moved})


def fit_choices(
    denoiser: Denoiser, material: Material, count: int, seed: int
) -> tuple[dict[str, KindCalibration], list[Curve]]:
    """Fitted on one half of what is drawn for each question, measured on the other; what is not fitted is measured alone."""
    answers: dict[str, KindCalibration] = {}
    curves: list[Curve] = []
    for name, (slot, drawers) in ASKED.items():
        examples = some(dict.fromkeys(drawers, 1.0), material, count, random.Random(f"choices/{name}/{seed}"))
        half = len(examples) // 2
        fit = fit_choice(*read_choices(denoiser, examples[:half])) if name in FITTED else PLAIN
        answers[slot.allowed[0]] = fit
        curves.append(curve_of(fit, *read_choices(denoiser, examples[half:]), name))
    return answers, curves


def calibrate(weights: Path, data: Path, apart: Path, out: Path, count: int, examples: int, seed: int) -> Calibration:
    """Fit all and write weights, calibration, quality head and reliability (a picture, and its points as JSON) into `out`."""
    raw = embedded_weights.load(weights)
    denoiser = Denoiser(raw.model, raw.tokenizer)
    found = more_often_answered(fitted(denoiser, *cases(data, count, seed), embedded_weights.load().calibration))
    material = Material.load(apart)
    answers, curves = fit_choices(denoiser, material, 2 * count, seed)
    measured = {**found.measured}
    for curve in curves:
        measured |= measures(curve)
    found = replace(found, answers=answers, measured=measured)
    recorder = Recorder(raw.model, raw.tokenizer)
    recorder.calibration = found
    rows = judged(recorder, some(QUALITY, material, examples, random.Random(f"quality/{seed}")), seed)
    head, figures = fit_quality(rows, raw.model.config.width, seed)
    found = replace(found, doubt=figures.pop("doubt"), measured={**measured, **figures})
    whole = EmbeddedModel(replace(raw.model.config, quality=HIDDEN))
    whole.load_state_dict({**raw.model.state_dict(), **{f"quality.{k}": v for k, v in head.state_dict().items()}})
    config = embedded_weights.check(weights)
    facts: dict[str, object] = {
        name: config[name] for name in ("base", "licence", "training", "data") if name in config
    }
    embedded_weights.save(whole, weights / "tokenizer.json", out, facts, found)
    put(out, curves)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.calibrate_plan", description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="what run_plan wrote")
    parser.add_argument("--data", type=Path, required=True, help="the folder of training files, for titles held out")
    parser.add_argument("--apart", type=Path, required=True, help="what gather --apart wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="cases of each kind")
    parser.add_argument("--examples", type=int, default=3000, help="that the quality head learns from")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(calibrate(args.weights, args.data, args.apart, args.out, args.count, args.examples, args.seed))


if __name__ == "__main__":
    main()
