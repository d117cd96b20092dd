"""How often a question of several passages is answered and how often it is left: the curve, and the offset fitted on titles held out.

    python -m palimpsest.dlm_core.evaluation.silence --apart FOLDER [--weights FOLDER] [--write]
    python -m palimpsest.dlm_core.evaluation.silence --data EVAL --limit 150

`several` of the calibration is added to the log-odds of an answer where several passages lie on one canvas. It is the offset at which
the smaller of two shares is greatest, on questions of several hops whose titles no training saw: exact answers where every paragraph of
the question is shown, and silence where one of them is left out. With `--data` the curve of HotpotQA is printed, and nothing is fitted.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from ..canvas.canvas import Canvas
from ..decoding.sampler import in_batches
from ..decoding.slot_scores import Scored, ranking
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..kinds import MaskKind, SlotSpec
from ..metrics import exact, normalise, percent
from ..training.examples import Row, read_rows
from ..training.gather import read_named
from .measure_slots import write

PASSAGES, LETTERS = 8, 850
OFFSETS = tuple(round(0.1 * n, 1) for n in range(-20, 31))
SHOWN = (-1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
Passages = list[tuple[str, str]]


class Case(NamedTuple):
    """Log-odds that there is an answer, the log-probability of the best span where there is one, whether that is right, and whether all
    that the question needs was shown.
    """

    odds: float
    span: float
    right: bool
    is_complete: bool

    def answers(self, offset: float) -> bool:
        """Whether the best span is likelier than [NONE]."""
        moved = self.odds + offset
        return self.span - math.log1p(math.exp(-moved)) > -math.log1p(math.exp(moved))


def shares(cases: Sequence[Case], offset: float) -> tuple[float, float]:
    """In percent: exact answers where all is shown, and silence where something lacks."""
    exact_ones = percent(c.right and c.answers(offset) for c in cases if c.is_complete)
    return exact_ones, percent(not c.answers(offset) for c in cases if not c.is_complete)


def fit(cases: Sequence[Case]) -> float:
    """The offset at which the smaller of the two shares is greatest; of equal ones the nearest to 0."""
    return max(OFFSETS, key=lambda offset: (min(shares(cases, offset)), -abs(offset)))


@torch.inference_mode()
def read(denoiser: Denoiser, canvases: Sequence[Canvas], golds: Sequence[str], complete: Sequence[bool]) -> list[Case]:
    plain = Denoiser(denoiser.model, denoiser.tokenizer, replace(denoiser.calibration, several=0.0))

    def work(batch: list[Canvas]) -> list[Scored]:
        return [slots[0] for slots in plain._score(batch, [None] * len(batch))[0]]

    found = []
    for canvas, score, gold, whole in zip(canvases, in_batches(canvases, work), golds, complete, strict=True):
        best = next((r for r in ranking(canvas, score, 1) if r.fill), None)
        none = min(float(score.none), -1e-6)
        odds = math.log(-math.expm1(none)) - none
        span = math.log(max(best.probability, 1e-9)) + math.log1p(math.exp(-odds)) if best else -50.0
        right = best is not None and best.fill is not None and exact(best.fill.text, [gold]) > 0
        found.append(Case(odds, span, right, whole))
    return found


def _canvas(denoiser: Denoiser, question: str, passages: Passages) -> Canvas:
    return denoiser.build([question], passages, (SlotSpec(MaskKind.TEXT), " ", SlotSpec(MaskKind.CITE)))


def held_out(rows: Sequence[Row], seed: int) -> Iterator[tuple[str, Passages, str, bool]]:
    """Each question with all its paragraphs among others, and once without each of them: (question, passages, answer, complete)."""
    rng = random.Random(f"silence/{seed}")
    for row in rows:
        gold = [p for p in row["paragraphs"] if p["gold"]]
        others = [p for p in row["paragraphs"] if not p["gold"]]
        if row["answer"].lower() in ("yes", "no") or len(gold) < 2:
            continue
        shown = [(gold, row["gold_complete"] is not False)]
        shown += [([p for p in gold if p is not lacking], False) for lacking in gold]
        for some, is_complete in shown:
            kept = [*some, *rng.sample(others, min(len(others), PASSAGES - len(some)))][:PASSAGES]
            rng.shuffle(kept)
            texts = [f"{p['title']}. {' '.join(p['sentences'])}"[:LETTERS] for p in kept]
            yield row["question"], [(str(n), text) for n, text in enumerate(texts)], row["answer"], is_complete


def of_hotpotqa(data: Path, limit: int, seed: int) -> Iterator[tuple[str, Passages, str, bool]]:
    """As `answering.multi_hop` lays them: what the corpus holds of a question's documents among those that share words with it."""
    texts = {d["title"]: "".join(d["sentences"]) for d in read_rows(data / "hotpotqa_corpus.jsonl.gz")}
    questions = read_rows(data / "hotpotqa_questions.jsonl.gz")
    rng = random.Random(seed)
    for row in rng.sample(questions, limit) if 0 < limit < len(questions) else questions:
        gold = [t for t in row["gold_titles"] if t in texts]
        words = set(normalise(row["question"]).split())
        rivals = [t for t in rng.sample(sorted(texts), min(200, len(texts))) if t not in gold]
        rivals.sort(key=lambda t: -len(words & set(normalise(t + " " + texts[t]).split())))
        shown = [(t, f"{t}. {texts[t]}"[:LETTERS]) for t in (*gold, *rivals)][:PASSAGES]
        rng.shuffle(shown)
        yield row["question"], shown, row["answer"], bool(row["gold_complete"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluation.silence", description=__doc__)
    parser.add_argument("--apart", type=Path, help="a folder that training.gather --apart wrote: fit on it")
    parser.add_argument("--data", type=Path, help="the folder of evaluation files: print the curve of HotpotQA")
    parser.add_argument("--weights", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--limit", type=int, default=0, help="questions of HotpotQA, 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--write", action="store_true", help="put the fitted offset into the calibration of the weights"
    )
    args = parser.parse_args()
    if (args.apart is None) == (args.data is None):
        parser.error("give --apart to fit, or --data to measure")
    denoiser = embedded_weights.load(args.weights)
    asked = held_out(read_named(args.apart, "multihop_qa"), args.seed) if args.apart else None
    rows = list(asked or of_hotpotqa(args.data, args.limit, args.seed))
    canvases = [_canvas(denoiser, question, passages) for question, passages, _, _ in rows]
    cases = read(denoiser, canvases, [gold for _, _, gold, _ in rows], [whole for *_, whole in rows])
    print(f"{sum(c.is_complete for c in cases)} complete, {sum(not c.is_complete for c in cases)} lacking")
    fitted = fit(cases) if args.apart else denoiser.calibration.several
    for offset in sorted({*SHOWN, fitted}):
        exact_ones, silent = shares(cases, offset)
        print(f"offset {offset:5.1f}: exact {exact_ones:.1f} %, silent where one lacks {silent:.1f} %")
    print(f"several {fitted}")
    if args.write and args.apart:
        write(replace(denoiser.calibration, several=fitted), args.weights)


if __name__ == "__main__":
    main()
