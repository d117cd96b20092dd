"""Every kind of slot, measured on titles that no training saw.

`python -m palimpsest.dlm_core.evaluation.by_drawer --apart FOLDER --model WEIGHTS --count 300 --json FILE`

`--apart` is a folder that `training.gather --apart` wrote. Each drawer of the training draws from it; all slots are open; the denoiser
fills them in one step. Readings are kept with `--rows`, so that probabilities can be fitted without asking again.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

import torch

from ..decoding.sampler import in_batches
from ..decoding.slot_scores import Scored, ranking
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..kinds import RELEVANCE_SLOT, MaskKind
from ..metrics import auroc, calibration, percent
from ..training.calibrate_embedded import is_right
from ..training.examples import Example
from ..training.masking import masked, realise
from ..training.material import Material
from ..training.plan import DRAWERS
from .relevance import average_precision


@dataclass(frozen=True)
class Reading:
    """What was said of one slot: `odds` of the allowed answers or, of one that copies, of [NONE] first and of its best span."""

    drawer: str
    canvas: int
    kind: str
    answers: tuple[str, ...]
    gold: str  # of a CHOICE the answer, else [NONE] or ""
    logs: tuple[float, ...]
    right: bool  # of a slot that copies whether the best span is right, of a CHOICE whether the likeliest answer is

    @property
    def says_none(self) -> bool:
        return not self.answers and self.logs[0] > self.logs[1]

    @property
    def is_right(self) -> bool:
        if self.answers:
            return self.right
        return self.says_none if self.gold else self.right and not self.says_none


def examples_of(name: str, material: Material, count: int, seed: int) -> list[Example]:
    """`count` draws at most; fewer where the drawer finds too little that lends itself."""
    rng, found = random.Random(f"{seed}/{name}"), list[Example]()
    for _ in range(12 * count):
        if len(found) == count:
            break
        if (made := DRAWERS[name](material, rng)) is not None:
            found.append(made)
    return found


@torch.inference_mode()
def readings(denoiser: Denoiser, name: str, examples: Sequence[Example]) -> list[Reading]:
    canvases, kept = [], []
    for example in examples:
        try:
            canvases.append(realise(masked(example), denoiser.tokenizer, denoiser.model.config.max_span)[0])
            kept.append(example)
        except ValueError:  # more passages than a canvas holds
            continue
    scored = in_batches(canvases, lambda batch: denoiser._score(batch, [None] * len(batch))[0])
    return [
        reading
        for n, (example, canvas, scores) in enumerate(zip(kept, canvases, scored, strict=True))
        for slot, score in enumerate(scores)
        if (reading := _reading(name, n, example, slot, canvas, score)) is not None
    ]


def _reading(name: str, number: int, example: Example, slot: int, canvas: object, score: Scored) -> Reading | None:
    spec, target = example.slots[slot], example.targets[slot]
    if spec.kind is MaskKind.CHOICE:
        gold = spec.allowed.index(target.words)
        logs = tuple(score.choice.tolist())
        is_best = max(range(len(logs)), key=logs.__getitem__) == gold
        return Reading(name, number, spec.kind.name, spec.allowed, target.words, logs, is_best)
    if score.spans is None or not (target.spans or target.words == "[NONE]"):
        return None
    best = next((r for r in ranking(canvas, score, 1) if r.fill), None)  # type: ignore[arg-type]
    top = float(score.spans.max()) if best else -50.0
    if spec.kind is MaskKind.CITE:
        cited = {str(p) for p, _, _ in target.spans}
        right = best is not None and best.fill is not None and best.fill.name in cited
        return Reading(name, number, spec.kind.name, (), "", (-50.0, top), right)
    right = best is not None and best.fill is not None and is_right(example, slot, best.fill.text)
    gold_none = "[NONE]" if target.words == "[NONE]" else ""
    return Reading(name, number, spec.kind.name, (), gold_none, (max(float(score.none), -50.0), top), right)


def figures(found: Sequence[Reading]) -> dict[str, float]:
    """Of the readings of one drawer: what there is of accuracy, exact, silence and average precision, with ECE and AUROC."""
    choices = [r for r in found if r.answers]
    copies = [r for r in found if not r.answers and r.kind != MaskKind.CITE.name]
    cites = [r for r in found if r.kind == MaskKind.CITE.name]
    out: dict[str, float] = {}
    if choices:
        out |= {"accuracy": percent(r.is_right for r in choices), "macro_f1": macro_f1(choices)}
        out |= {"choices": len(choices), **_sure([max(r.logs) for r in choices], [r.is_right for r in choices])}
        if choices[0].answers == RELEVANCE_SLOT.allowed:
            out |= _ranked(choices)
    if copies:
        there, silent = [r for r in copies if not r.gold], [r for r in copies if r.gold]
        out |= {"exact": percent(r.is_right for r in there)} if there else {}
        out |= {"silent": percent(r.is_right for r in silent)} if silent else {}
        if there and silent:
            out["there_auroc"] = auroc([-r.logs[0] for r in copies], [float(not r.gold) for r in copies])
        out |= {"copies": len(copies), **_sure([max(r.logs) for r in copies], [r.is_right for r in copies])}
    if cites:
        out |= {"cited": percent(r.right for r in cites), "cites": len(cites)}
    return out


def _sure(logs: Sequence[float], right: Sequence[bool]) -> dict[str, float]:
    probabilities = torch.tensor(logs).clamp_max(0).exp().tolist()
    return calibration(probabilities, [float(r) for r in right])


def macro_f1(choices: Sequence[Reading]) -> float:
    """The mean over the answers that occur, in percent."""
    golds = {r.gold for r in choices}
    said = [r.answers[max(range(len(r.logs)), key=r.logs.__getitem__)] for r in choices]
    scores = []
    for answer in golds:
        hit = sum(s == r.gold == answer for s, r in zip(said, choices, strict=True))
        scores.append(2 * hit / (said.count(answer) + sum(r.gold == answer for r in choices)))
    return 100 * mean(scores)


def _ranked(choices: Sequence[Reading]) -> dict[str, float]:
    """Average precision within each canvas that has both, and AUROC over all sentences together."""
    by_canvas: dict[int, list[Reading]] = {}
    for one in choices:
        by_canvas.setdefault(one.canvas, []).append(one)
    both = [g for g in by_canvas.values() if len({r.gold for r in g}) == 2]
    relevant = RELEVANCE_SLOT.allowed[0]
    precision = [average_precision([r.logs[0] for r in g], [r.gold == relevant for r in g]) for g in both]
    over_all = auroc([r.logs[0] for r in choices], [float(r.gold == relevant) for r in choices])
    return {"average_precision": mean(precision) if precision else float("nan"), "relevance_auroc": over_all}


def measured(
    denoiser: Denoiser, material: Material, names: Iterable[str], count: int, seed: int
) -> dict[str, list[Reading]]:
    return {name: readings(denoiser, name, examples_of(name, material, count, seed)) for name in names}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.by_drawer", description=__doc__)
    parser.add_argument("--apart", type=Path, required=True, help="a folder that training.gather --apart wrote")
    parser.add_argument("--model", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=sorted(DRAWERS), default=sorted(DRAWERS))
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--rows", type=Path, help="write the readings here, a line each")
    args = parser.parse_args()
    denoiser, material = embedded_weights.load(args.model), Material.load(args.apart)
    found = measured(denoiser, material, args.only, args.count, args.seed)
    for name, rows in found.items():
        print(f"{name:16}" + "  ".join(f"{k} {v:.3g}" for k, v in figures(rows).items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps({name: figures(rows) for name, rows in found.items()}, indent=2) + "\n")
    if args.rows:
        args.rows.write_text("".join(json.dumps(asdict(r)) + "\n" for rows in found.values() for r in rows))


if __name__ == "__main__":
    main()
