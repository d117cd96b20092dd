"""Fit how far a given answer can be believed to be *right*, with every wording of a set counted as right.

    python -m palimpsest.dlm_core.evaluation.fit_rightness --apart FOLDER --answers TRAIN [--weights FOLDER] [--count 110] [--write]
    python -m palimpsest.dlm_core.evaluation.fit_rightness --data EVAL --limit 300

The probability of an answer is that of one span; its words may stand in several places, and beside a span lie others that read
alike. So the spans that read alike are added up, and three numbers turn the log-odds of that into those of being right: slope and
offset over twins of titles held out, and what is added where several passages lie on one canvas, over questions of several hops, whole
ones counted as much as those that lack a paragraph. The new Wikipedia, another kind, and with --data evaluation sets are measured and
fit nothing; its silent half is the paragraph of the page that shares most words with the question. `floor` is the ECE that belief
without any fault would have over so many cases. With --write come figures by the word that asks, and squares of the picture.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import torch
from torch.nn import functional as F

from ..decoding.sampler import in_batches
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..denoisers.slot_calibration import LEAST, Calibration
from ..kinds import MaskKind, SlotSpec
from ..metrics import auroc, calibration, exact, risk, sure_from
from ..training.average import elsewhere, twins
from ..training.examples import read_rows
from ..training.gather import read_named
from ..training.material import Material
from ..training.reliability import Curve, put
from .measure_slots import write
from .silence import held_out, of_hotpotqa

Asked = tuple[
    str, list[tuple[str, str]], list[str]
]  # a question, its passages, every right wording; none: nothing is right
FITTED, SEVERAL = ("twins", "several"), "several"
PICTURED = {"twins": "answer, titles held out", "elsewhere": "answer, another kind"}
FORMS = ("who", "when", "where", "which", "what", "why", "how")
FEWEST = 8  # answers to questions of one form that make a figure
DRAWS = 200  # of cases that are as right as they are believed


class Given(NamedTuple):
    """An answer that was given: of its span and of its words the probability, whether it is right, and how much it counts."""

    probability: float
    mass: float
    right: bool
    is_among_several: bool = False
    weight: float = 1.0
    form: str = ""

    @property
    def odds(self) -> float:
        inside = min(max(self.mass, LEAST), 1 - LEAST)
        return math.log(inside / (1 - inside))


def given(denoiser: Denoiser, asked: Sequence[Asked]) -> list[Given]:
    """What is answered; where the model says nothing there is no answer."""
    length = denoiser.calibration.length(MaskKind.TEXT)
    canvases = [
        denoiser.build([q], p, (SlotSpec(MaskKind.TEXT, length), " ", SlotSpec(MaskKind.CITE))) for q, p, _ in asked
    ]
    read = in_batches(canvases, lambda batch: denoiser.believed(batch, 0))
    whole = sum(bool(golds) for *_, golds in asked)
    share = (len(asked) - whole) / max(whole, 1)  # so that questions with an answer count as much as those without
    return [
        Given(
            b.probability,
            b.mass,
            bool(golds) and exact(b.words, golds) > 0,
            len(p) > 1,
            share if golds and len(p) > 1 else 1.0,
            form_of(q),
        )
        for (q, p, golds), b in zip(asked, read, strict=True)
        if b.words
    ]


def form_of(question: str) -> str:
    """The first word of a question that asks. It sorts figures and decides nothing."""
    words = (word.strip("?,") for word in question.lower().split())
    return next((word for word in words if word in FORMS), "other")


def fit(found: Sequence[Given]) -> tuple[float, float, float]:
    """Slope, offset and what several passages add, by logistic regression drawn towards 1, 0 and 0."""
    inputs = torch.tensor([[g.odds, 1.0, float(g.is_among_several)] for g in found], dtype=torch.float64)
    outcomes, weights = (torch.tensor([float(g[n]) for g in found], dtype=torch.float64) for n in (2, 4))
    start = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    numbers = start.clone().requires_grad_()
    optim = torch.optim.LBFGS([numbers], max_iter=200, line_search_fn="strong_wolfe")

    def cost() -> torch.Tensor:
        optim.zero_grad()
        loss = F.binary_cross_entropy_with_logits(inputs @ numbers, outcomes, weights, reduction="sum")
        loss = loss + (numbers - start).square().sum() / 2
        loss.backward()
        return loss

    optim.step(cost)
    slope, offset, several = numbers.detach().tolist()
    return slope, offset, several


def figures(found: Sequence[Given], by: Calibration) -> dict[str, float]:
    """Cases, ECE and AUROC of the span's probability and of the fit."""
    right, span = [float(g.right) for g in found], [g.probability for g in found]
    believed = [by.rightness(g.mass, g.is_among_several) for g in found]
    return {
        "cases": len(found), "span_ece": calibration(span, right)["ece"], "ece": calibration(believed, right)["ece"],
        "floor": floor(believed), "span_auroc": auroc(span, right), "auroc": auroc(believed, right),
    }  # fmt: skip


def curve_of(found: Sequence[Given], by: Calibration, title: str) -> Curve:
    return Curve(title, [by.rightness(g.mass, g.is_among_several) for g in found], [float(g.right) for g in found])


def by_form(found: Sequence[Given], by: Calibration) -> dict[str, float]:
    """Of answers to questions of each form: cases, ECE, its floor, AUROC, and what is wrong in the surer half."""
    out: dict[str, float] = {}
    for form in (*FORMS, "other"):
        some = [g for g in found if g.form == form]
        if len(some) < FEWEST:
            continue
        right, believed = [float(g.right) for g in some], [by.rightness(g.mass, g.is_among_several) for g in some]
        said = {
            "cases": len(some),
            **calibration(believed, right),
            "floor": floor(believed),
            "risk_50": risk(believed, right, 0.5),
        }
        out |= {f"answer_{form}_{what}": value for what, value in said.items()}
    return out


def floor(believed: Sequence[float], seed: int = 0) -> float:
    """The mean ECE of as many cases that are right as often as is believed: what is left where nothing is to be mended."""
    rng = random.Random(f"floor/{seed}")
    drawn = ([float(rng.random() < p) for p in believed] for _ in range(DRAWS))
    return mean(calibration(believed, right)["ece"] for right in drawn)


def fitted(sets: Mapping[str, Sequence[Given]], old: Calibration) -> Calibration:
    """The fit to the sets in FITTED, and figures: of these by the fit to every other case over the rest, of others by the whole."""
    halves = {name: (sets[name][::2], sets[name][1::2]) for name in FITTED}
    half = replace(old, right=fit([g for one, _ in halves.values() for g in one]))
    whole = replace(old, right=fit([g for name in FITTED for g in sets[name]]))
    measured: dict[str, float] = {}
    for name, found in sets.items():
        said = figures(halves[name][1], half) if name in halves else figures(found, whole)
        measured |= {f"right_{name}_{what}": value for what, value in said.items()}
    alone = [g for found in sets.values() for g in found if not g.is_among_several]
    measured |= by_form(alone, whole)
    for name, some in (
        ("answer", alone),
        ("answer_several", [g for found in sets.values() for g in found if g.is_among_several]),
    ):
        curve = curve_of(some, whole, name)
        measured[f"{name}_unsure_below"], measured[f"{name}_sure_share"] = sure_from(curve.believed, curve.right)
    return replace(whole, measured={**old.measured, **measured})


def sets_to_fit(material: Material, train: Path, count: int, seed: int) -> dict[str, list[Asked]]:
    rng = random.Random(f"rightness/{seed}")
    pairs, shifted = material.rows["unanswerable_pairs"], read_named(train, "span_qa_newwiki")
    wordings = {row["question"].strip(): row["answers"] for row in shifted}
    examples = {
        "twins": twins(rng.sample(pairs, min(count, len(pairs))), rng), "elsewhere": elsewhere(shifted, count, rng, is_nearest=True),
    }  # fmt: skip
    asked: dict[str, list[Asked]] = {
        name: [
            (q, [("e", e.passages[0])], wordings.get(q, [e.words(0)]) if e.targets[0].spans else [])
            for e in some
            for q in [str(e.question[0])]
        ]
        for name, some in examples.items()
    }
    hops = held_out(material.rows["multihop_qa"], seed)
    return {**asked, SEVERAL: [(q, p, [gold] if whole else []) for q, p, gold, whole in hops]}


def sets_to_measure(data: Path, limit: int, seed: int) -> dict[str, list[Asked]]:
    rows = random.Random(seed).sample(read_rows(data / "squad_v2_dev.jsonl.gz"), limit)
    squad = [
        (
            r["question"].strip(),
            [("context", r["context"])],
            [a if isinstance(a, str) else a["text"] for a in r["answers"]],
        )
        for r in rows
    ]
    hotpot: list[Asked] = [(q, p, [gold] if whole else []) for q, p, gold, whole in of_hotpotqa(data, limit, seed)]
    return {"SQuAD 2.0 dev": squad, "HotpotQA": hotpot}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.fit_rightness", description=__doc__)
    parser.add_argument("--apart", type=Path, help="a folder that training.gather --apart wrote: fit on it")
    parser.add_argument("--answers", type=Path, help="the folder of training files, for the new Wikipedia")
    parser.add_argument("--data", type=Path, help="the folder of evaluation files: measure the fit that stands")
    parser.add_argument("--weights", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--count", type=int, default=110, help="questions of each set that is fitted")
    parser.add_argument("--limit", type=int, default=300, help="questions of each evaluation set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put the fit into the calibration of the weights")
    args = parser.parse_args()
    if (args.data is None) == (args.apart is None or args.answers is None):
        parser.error("give --apart and --answers to fit, or --data to measure")
    denoiser = embedded_weights.load(args.weights)
    if args.data:
        for name, asked in sets_to_measure(args.data, args.limit, args.seed).items():
            print(name, figures(given(denoiser, asked), denoiser.calibration))
        return
    sets = sets_to_fit(Material.load(args.apart), args.answers, args.count, args.seed)
    answered = {name: given(denoiser, some) for name, some in sets.items()}
    found = fitted(answered, denoiser.calibration)
    print(found.right, {k: round(v, 3) for k, v in found.measured.items() if k.startswith(("right_", "answer_"))})
    if args.write:
        write(found, args.weights)
        put(args.weights, [curve_of(answered[name], found, title) for name, title in PICTURED.items()])


if __name__ == "__main__":
    main()
