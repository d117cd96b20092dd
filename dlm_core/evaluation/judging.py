"""What a verdict rests on, and how far it can be believed on a kind of source that no fit saw.

    python -m palimpsest.dlm_core.evaluation.judging --apart FOLDER [--data EVAL] [--weights FOLDER] [--count 150] [--write [--adopt]]

Over titles that no training saw: pairs whose shared words say the opposite of the verdict; claims beside their evidence with and
without one name or figure that stands in both; and the verdicts of each source, believed as a fit to all *other* sources says: cases,
accuracy, ECE as it stands and by that fit, the ECE that a faultless belief would have over so many, AUROC, and what is wrong among the
surest. With --data the evaluation sets are measured by the fit to all sources, and fit nothing. --write puts figures and a square of
the picture beside the weights; --adopt that fit too, for whoever means the agent to decide by it.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..denoisers.slot_calibration import KindCalibration
from ..kinds import NOT_ENOUGH, SUPPORTS, VERDICT_SLOT
from ..metrics import percent, risk, sure_from
from ..training.calibrate_plan import curve_of, fit_choice, measures, read_choices
from ..training.corpus import find_all
from ..training.examples import Example, Row, read_rows
from ..training.judgement import THREE, _erased, _supported, verdict
from ..training.material import Material, content_words, names_in
from ..training.reliability import Curve, put
from .by_drawer import examples_of
from .fit_rightness import floor
from .measure_slots import write
from .verdicts import LABELS

SOURCES = ("entailment", "table", "fever", "feverous", "attribution", "trial", "proof", "argument")
LEFT_OUT = "verdict, source left out"
SHOWN = ("cases", "accuracy", "as_it_stands", "ece", "floor", "auroc", "risk_50")
COVERAGES = (0.25, 0.5, 0.75, 1.0)  # shares of what is surest
THIRD = 1 / 3


class Read(NamedTuple):
    """Logits (log-probabilities) of each verdict, and the place of the right one."""

    logits: list[torch.Tensor]
    golds: list[int]

    def accuracy(self) -> float:
        return percent(int(row.argmax()) == gold for row, gold in zip(self.logits, self.golds, strict=True))


def read(denoiser: Denoiser, examples: Sequence[Example]) -> Read:
    return Read(*read_choices(denoiser, examples))


# What a verdict rests on


def shared(example: Example) -> float:
    """Of the words of a claim that say something, those that its evidence holds."""
    words = content_words(str(example.question[0]))
    return len(words & content_words(" ".join(example.passages))) / max(len(words), 1)


def against_overlap(material: Material, count: int, rng: random.Random) -> list[Example]:
    """Of pairs of nli3 and FEVER, supported ones among the third that share least and others among the third that share most."""
    rows = [(r["hypothesis"], r["premise"], THREE[r["label"]], "nli3") for r in material.rows["nli3"]]
    rows += [
        (r["claim"], r["evidence"], "[SUP]" if r["label"] == "entailment" else "[REF]", "fever_pairs")
        for r in material.rows["fever_pairs"]
    ]
    pairs = sorted((verdict(c, [e], label, source) for c, e, label, source in rows), key=shared)
    third = round(len(pairs) * THIRD)
    low = [e for e in pairs[:third] if e.targets[0].words == SUPPORTS]
    high = [e for e in pairs[-third:] if e.targets[0].words != SUPPORTS]
    half = min(len(low), len(high), count // 2)
    return [*rng.sample(low, half), *rng.sample(high, half)]


def without_decisive(material: Material, count: int, rng: random.Random) -> list[tuple[Example, Example]]:
    """Supported claims beside their evidence whole, and without one name or figure that stands in both."""
    found = list[tuple[Example, Example]]()
    for _ in range(20 * count):
        if len(found) == count:
            break
        claim, evidence, source = _supported(material, rng)
        spans = [s for s in names_in(claim) if find_all(evidence, claim[s[0] : s[1]])]
        if spans:
            start, end, kind = rng.choice(spans)
            gone = _erased(evidence, claim[start:end], kind, rng)
            found.append((verdict(claim, [evidence], SUPPORTS, source), verdict(claim, [gone], NOT_ENOUGH, source)))
    return found


def rests_on(denoiser: Denoiser, material: Material, count: int, seed: int) -> dict[str, float]:
    rng = random.Random(f"judging/{seed}")
    opposite, twins = against_overlap(material, count, rng), without_decisive(material, count, rng)
    whole, gone = read(denoiser, [w for w, _ in twins]), read(denoiser, [g for _, g in twins])
    return {
        "opposite_accuracy": read(denoiser, opposite).accuracy(),
        "opposite_cases": len(opposite),
        "decisive_gone_silent": gone.accuracy(),
        "decisive_whole_right": whole.accuracy(),
        "decisive_cases": len(twins),
    }


# Belief in a kind of source that no fit saw


def believed(fit: KindCalibration, found: Read) -> Curve:
    return curve_of(fit, found.logits, found.golds, "v")


def ece(fit: KindCalibration, found: Read) -> float:
    return measures(believed(fit, found))["v_ece"]


def fit_to(found: Sequence[Read]) -> KindCalibration:
    """Temperature and offset fitted to several sources together."""
    return fit_choice([row for one in found for row in one.logits], [gold for one in found for gold in one.golds])


def left_out(by_source: Mapping[str, Read]) -> dict[str, KindCalibration]:
    """For each source the fit to all others."""
    return {name: fit_to([one for other, one in by_source.items() if other != name]) for name in by_source}


def together(fits: Mapping[str, KindCalibration], by_source: Mapping[str, Read]) -> Curve:
    """All verdicts, each believed by the fit that belongs to its source."""
    curves = [believed(fits[name], one) for name, one in by_source.items()]
    return Curve(LEFT_OUT, [p for c in curves for p in c.believed], [r for c in curves for r in c.right])


def figures(now: KindCalibration, by_source: Mapping[str, Read]) -> dict[str, float]:
    """Of each source left out and of all together: `ece` by the other sources, `as_it_stands` by the calibration that stands."""
    fits, found = left_out(by_source), dict[str, float]()
    for name, one in by_source.items():
        curve = believed(fits[name], one)
        said = {what.removeprefix("v_"): value for what, value in measures(curve).items()}
        said |= {
            "as_it_stands": ece(now, one),
            "floor": floor(curve.believed),
            "risk_50": risk(curve.believed, curve.right, 0.5),
        }
        found |= {f"verdict_out_{name}_{what}": value for what, value in said.items()}
    pooled, standing = together(fits, by_source), together(dict.fromkeys(by_source, now), by_source)
    said = {what.removeprefix(f"{LEFT_OUT}_"): value for what, value in measures(pooled).items()}
    said |= {"as_it_stands": measures(standing)[f"{LEFT_OUT}_ece"], "floor": floor(pooled.believed)}
    said["unsure_below"], said["sure_share"] = sure_from(pooled.believed, pooled.right)
    said |= {f"risk_{share:.0%}".rstrip("%"): risk(pooled.believed, pooled.right, share) for share in COVERAGES}
    return {**found, **{f"verdict_out_all_{what}": value for what, value in said.items()}}


def evaluation_sets(data: Path, count: int, seed: int) -> dict[str, list[Example]]:
    rng = random.Random(f"judging/{seed}")

    def some(name: str) -> list[Row]:
        rows = read_rows(data / f"{name}.jsonl.gz")
        return rng.sample(rows, min(count, len(rows)))

    labels = {0: SUPPORTS, 1: "[REF]"}
    fm2 = {r["id"]: r["text"] for r in read_rows(data / "fm2_corpus.jsonl.gz")}
    climate = {r["id"]: r["text"] for r in read_rows(data / "climate_fever_corpus.jsonl.gz")}
    said = {"supports": SUPPORTS, "refutes": "[REF]", "nothing": NOT_ENOUGH}
    return {
        "symmetric FEVER": [
            verdict(r["claim"], [r["evidence"]], labels[LABELS[r["label"]]], "") for r in some("fever_symmetric_claims_test")
        ],
        "FM2": [
            verdict(r["claim"], [" ".join(fm2[i] for i in r["gold_sentence_ids"])], labels[LABELS[r["label"].upper()]], "")
            for r in some("fm2_claims")
        ],
        "Climate-FEVER": [
            verdict(r["claim"], [climate[e["sentence_id"]]], said[e["label"]], "")
            for r in some("climate_fever_claims")
            for e in r["evidence"][:1]
            if e["entropy"] == 0
        ],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.judging", description=__doc__)
    parser.add_argument("--apart", type=Path, required=True, help="a folder that training.gather --apart wrote")
    parser.add_argument("--data", type=Path, help="the folder of evaluation files, measured and never fitted")
    parser.add_argument("--weights", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--count", type=int, default=150, help="cases of each source and each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put what was found into the calibration of the weights")
    parser.add_argument("--adopt", action="store_true", help="with --write: the fit to all sources decides from now on")
    args = parser.parse_args()
    denoiser, material = embedded_weights.load(args.weights), Material.load(args.apart)
    measured = rests_on(denoiser, material, args.count, args.seed)
    for name, value in measured.items():
        print(f"{name:28}{value:8.1f}")
    by_source = {name: read(denoiser, examples_of(name, material, args.count, args.seed)) for name in SOURCES}
    now = denoiser.calibration.choice(VERDICT_SLOT.allowed)
    measured |= figures(now, by_source)
    for name in (*by_source, "all"):
        said = {w: measured.get(f"verdict_out_{name}_{w}", float("nan")) for w in SHOWN}
        print(f"{name:14}" + "  ".join(f"{w} {value:.3f}" for w, value in said.items()))
    every = fit_to(list(by_source.values()))
    rest = {
        name: round(value, 2)
        for name, value in measured.items()
        if name.startswith(("verdict_out_all_risk", "verdict_out_all_un"))
    }
    print(rest, every)
    for name, examples in evaluation_sets(args.data, args.count, args.seed).items() if args.data else ():
        one = read(denoiser, examples)
        print(
            f"{name:16}{len(one.golds):5} right {one.accuracy():5.1f} %, ECE {ece(now, one):.3f}, {ece(every, one):.3f} by all"
        )
    if args.write:
        old = denoiser.calibration
        answers = {**old.answers, SUPPORTS: every} if args.adopt else old.answers
        write(replace(old, answers=answers, measured={**old.measured, **measured}), args.weights)
        put(args.weights, [together(left_out(by_source), by_source)])


if __name__ == "__main__":
    main()
