"""Fit when words that stand are doubted, and when an edit that nobody asked for is made.

    python -m palimpsest.dlm_core.evaluation.fit_repair --apart FOLDER [--weights FOLDER] [--count 150] [--write]

From claims that their evidence supports, of titles that no training saw, a name or figure is exchanged for another of its kind. Each
name and figure of the wrong claim is a place. The quality head and the lift (log-probability of the words that stand less that of the
best others) are held against each other as signs that a place is right; the better one is `sign`. `turn` is the least change of the
verdict at which of the words that were right KEPT per cent are left alone.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..canvas.canvas import Canvas
from ..decoding.sampler import in_batches
from ..denoisers import embedded_weights
from ..denoisers.embedded import LIFT, Denoiser, lift
from ..denoisers.slot_calibration import Calibration, platt
from ..metrics import auroc, exact
from ..training.calibrate_embedded import best_cut
from ..training.examples import Row
from ..training.material import Material, names_in
from .correction import denoised, quality_of, support_of, untouched, written
from .measure_slots import write

KEPT = 99.5


@dataclass(frozen=True)
class Place:
    """A name or figure of a claim: whether it may stay, both signs of that, and the claim without it as it would be mended."""

    may_stay: bool
    lift: float
    quality: float
    mended: str
    turn: float  # of the verdict, in log-odds, where it is mended


def wrong_claims(material: Material, count: int, seed: int) -> list[Row]:
    """Short claims with one name or figure exchanged, as people write them: wrong, right, evidence."""
    rng = random.Random(f"repair/{seed}")
    rows = [(r["claim"], r["evidence"]) for r in material.rows["fever_pairs"] if r["label"] == "entailment"]
    rng.shuffle(rows)
    found: list[Row] = []
    for claim, evidence in rows:
        spans = [s for s in names_in(claim) if claim[s[0] : s[1]].lower() in evidence.lower()]
        if not spans or len(found) == count:
            continue
        start, end, kind = rng.choice(spans)
        other = material.corpus.same_kind(claim[start:end], kind, rng)
        if other.lower() not in claim.lower():
            found.append({"wrong": claim[:start] + other + claim[end:], "right": claim, "evidence": evidence})
    return found


@torch.inference_mode()
def places(denoiser: Denoiser, rows: Sequence[Row]) -> list[list[Place]]:
    """The places of each claim that has any."""
    made = [(r, *m) for r in rows if (m := written(denoiser, r["wrong"], r["evidence"]))]
    lifts = in_batches([d.canvas for _, d, _ in made], lambda batch: _lifts(denoiser, batch))
    head = denoiser.told_by("quality")
    qualities = in_batches(
        [d.canvas for _, d, _ in made], lambda batch: list(map(quality_of, head.guess(batch)[0], batch))
    )
    before = support_of(denoiser, [r["wrong"] for r, _, _ in made], [r["evidence"] for r, _, _ in made])
    opened = [
        (n, slot, d.canvas.reopen(d.canvas.slot_mask([slot])))
        for n, (_, d, words) in enumerate(made)
        for slot in range(len(words))
    ]
    tried = in_batches([canvas for *_, canvas in opened], lambda batch: denoised(denoiser, batch))
    texts = [made[n][1].text(canvas, denoiser, made[n][2]) for (n, _, _), canvas in zip(opened, tried, strict=True)]
    after = support_of(denoiser, texts, [made[n][0]["evidence"] for n, _, _ in opened])
    found: list[list[Place]] = [[] for _ in made]
    for (n, slot, _), text, (score, _) in zip(opened, texts, after, strict=True):
        row, _, words = made[n]
        turn = score - before[n][0] if text != row["wrong"] and not before[n][1] else 0.0
        found[n].append(Place(words[slot] in row["right"], lifts[n][slot], qualities[n][slot], text, turn))
    return found


def _lifts(denoiser: Denoiser, batch: list[Canvas]) -> list[list[float]]:
    scored = denoiser._score(batch, [None] * len(batch))[0]
    return [
        [
            float(lift(c, slot, s.spans, s.none))
            for slot, s in zip(c.slots[:-1], row, strict=False)
            if s.spans is not None
        ]
        for c, row in zip(batch, scored, strict=True)
    ]


def mended(rows: Sequence[Row], found: Sequence[Sequence[Place]], turn: float) -> tuple[float, float]:
    """In percent: claims that become right by the one edit that turns the verdict furthest, and right words left alone."""
    right, kept, whole = 0.0, 0, 0
    for row, some in zip(rows, found, strict=True):
        best = max((p for p in some if p.turn > 0 and p.turn >= turn), key=lambda p: p.turn, default=None)
        text = best.mended if best else row["wrong"]
        right += exact(text, [row["right"]])
        own, all_words = untouched(row["wrong"], row["right"], text)
        kept, whole = kept + own, whole + all_words
    return 100 * right / len(rows), 100 * kept / whole


def fit(rows: Sequence[Row], found: Sequence[Sequence[Place]], old: Calibration) -> Calibration:
    every = [p for some in found for p in some]
    stays = [float(p.may_stay) for p in every]
    by_lift, by_quality = (auroc([getattr(p, name) for p in every], stays) for name in ("lift", "quality"))
    lifts, stay = torch.tensor([p.lift for p in every]), torch.tensor(stays)
    slope, offset = platt(lifts, stay)
    is_lift = by_lift >= by_quality
    sign = (slope * lifts + offset).sigmoid() if is_lift else torch.tensor([p.quality for p in every])
    steps = [0.0, *sorted({round(p.turn, 1) for p in every if p.turn > 0})]
    turn = next((t for t in steps if mended(rows, found, t)[1] >= KEPT), steps[-1])
    exact_ones, kept = mended(rows, found, turn)
    measured = {
        "repair_lift_auroc": by_lift, "repair_quality_auroc": by_quality, "repair_places": len(every), "repair_claims": len(rows),
        "repair_exact": exact_ones, "repair_kept": kept,
    }  # fmt: skip
    return replace(
        old, sign=LIFT if is_lift else "quality", lift=(slope, offset), turn=turn, doubt=best_cut(sign, stay),
        measured={**old.measured, **measured},
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.fit_repair", description=__doc__)
    parser.add_argument("--apart", type=Path, required=True, help="a folder that training.gather --apart wrote")
    parser.add_argument("--weights", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--count", type=int, default=150, help="claims")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="put what was fitted into the calibration of the weights")
    args = parser.parse_args()
    denoiser = embedded_weights.load(args.weights)
    rows = [
        r for r in wrong_claims(Material.load(args.apart), args.count, args.seed)
        if written(denoiser, r["wrong"], r["evidence"])
    ]  # fmt: skip
    found = places(denoiser, rows)
    for turn in (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0):
        exact_ones, kept = mended(rows, found, turn)
        print(f"turned by {turn:3.0f} and more: {exact_ones:5.1f} % become right, {kept:6.2f} % of right words kept")
    fitted = fit(rows, found, denoiser.calibration)
    print(f"sign {fitted.sign}, lift {fitted.lift}, doubt {fitted.doubt:.2f}, turn {fitted.turn}")
    print({k: v for k, v in fitted.measured.items() if k.startswith("repair")})
    if args.write:
        write(fitted, args.weights)


if __name__ == "__main__":
    main()
