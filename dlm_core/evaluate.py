"""Measure the embedded denoiser: `python -m palimpsest.dlm_core.evaluate --data FOLDER [--model FOLDER | --checkpoint FILE]`.

FOLDER holds evaluation files that no training step reads (squad_v1_dev, squad_v2_dev, qed_dev, fever_symmetric_*); what is missing
is left out of the table. `--train FOLDER` adds the claim-only baseline, fitted on the training claims.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import string
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from .canvas import Canvas
from .data import CITE_SLOT
from .denoiser import Denoiser
from .examples import Row, read_rows
from .kinds import VERDICT_SLOT, MaskKind, SlotSpec
from .layout import lay
from .models import weights
from .models.embedded import EmbeddedModel
from .models.minilm import package_folder
from .sampler import denoise_all, in_batches
from .tokenizer import NONE, Tokenizer

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str) -> str:
    """SQuAD's normalisation: lower case, no punctuation, no articles, single spaces."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def exact(guess: str, golds: Iterable[str]) -> float:
    return float(any(normalise(guess) == normalise(g) for g in golds))


def f1(guess: str, golds: Iterable[str]) -> float:
    """The best token F1 against any gold answer; against no words at all, 1 for silence and 0 for words."""

    def one(gold: str) -> float:
        ours, theirs = normalise(guess).split(), normalise(gold).split()
        if not ours or not theirs:
            return float(ours == theirs)
        same = sum((Counter(ours) & Counter(theirs)).values())
        return 2 * same / (len(ours) + len(theirs))

    return max(map(one, golds))


def answer_canvas(tokenizer: Tokenizer, question: str, context: str, required: bool) -> Canvas:
    pieces = (SlotSpec(MaskKind.TEXT, required=required), " ", CITE_SLOT)
    return lay(tokenizer, [question], [("context", context)], pieces)


def answers(denoiser: Denoiser, rows: Sequence[Row], steps: int, required: bool) -> list[tuple[str, float]]:
    """Slot decoding of each row's question over its paragraph: (words, their probability); "" where [NONE] won."""
    canvases = [answer_canvas(denoiser.tokenizer, r["question"].strip(), r["context"], required) for r in rows]

    def work(batch: list[Canvas]) -> list[tuple[str, float]]:
        film = list(denoise_all(denoiser, batch, schedule=steps))
        return [
            (_words(f.canvas, denoiser), _first_prob([frames[i] for frames in film])) for i, f in enumerate(film[-1])
        ]

    return in_batches(canvases, work)


def _words(canvas: Canvas, denoiser: Denoiser) -> str:
    fill = canvas.fill(0, denoiser.tokenizer)
    return "" if fill is None or int(canvas.tokens[canvas.slots[0].start]) == NONE else fill.text


def _first_prob(frames: Sequence[Any]) -> float:
    """The probability at the step that settled the answer."""
    place = frames[0].canvas.slots[0].start
    for frame in frames:
        if not frame.canvas.open[place]:
            return float(frame.guess.prob[place])
    raise AssertionError("a finished film leaves no slot open")


def span_filling(denoiser: Denoiser, rows: Sequence[Row], steps: int, required: bool) -> dict[str, float]:
    """Exact match and F1 of answers decoded in at most `steps` steps, with the calibration of their probabilities."""
    golds = [_golds(r) for r in rows]
    told = answers(denoiser, rows, steps, required)
    right = [exact(g, a) for (g, _), a in zip(told, golds, strict=True)]
    return {**_scores([g for g, _ in told], golds), **calibration([p for _, p in told], right)}


def _golds(row: Row) -> list[str]:
    return [a if isinstance(a, str) else a["text"] for a in row["answers"]] or [""]


def _scores(guesses: Sequence[str], golds: Sequence[Sequence[str]]) -> dict[str, float]:
    pairs = list(zip(guesses, golds, strict=True))
    return {
        "exact": 100 * sum(exact(g, a) for g, a in pairs) / len(pairs),
        "f1": 100 * sum(f1(g, a) for g, a in pairs) / len(pairs),
        "n": len(pairs),
    }


def calibration(probabilities: Sequence[float], right: Sequence[float], bins: int = 15) -> dict[str, float]:
    """Expected calibration error over equal-width bins, and AUROC of the probability as a sign of being right."""
    error = 0.0
    for b in range(bins):
        inside = [
            i for i, p in enumerate(probabilities) if b / bins <= p < (b + 1) / bins or (b == bins - 1 and p == 1)
        ]
        if inside:
            gap = sum(probabilities[i] for i in inside) - sum(right[i] for i in inside)
            error += abs(gap) / len(right)
    return {"ece": error, "auroc": auroc(probabilities, right)}


def auroc(scores: Sequence[float], right: Sequence[float]) -> float:
    """The chance that a right one scores above a wrong one (ties count half), by ranks."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    ranks = [0.0] * len(scores)
    at = 0
    while at < len(order):
        end = at
        while end < len(order) and scores[order[end]] == scores[order[at]]:
            end += 1
        for i in order[at:end]:
            ranks[i] = (at + end + 1) / 2
        at = end
    good = [r for r, y in zip(ranks, right, strict=True) if y]
    bad = len(ranks) - len(good)
    return (sum(good) - len(good) * (len(good) + 1) / 2) / (len(good) * bad) if good and bad else float("nan")


def stances(denoiser: Denoiser, pairs: Sequence[tuple[str, str]]) -> list[list[float]]:
    """Probabilities of [SUP], [REF], [NEI] for (claim, evidence) pairs."""
    canvases = [lay(denoiser.tokenizer, [claim], [("e", text)], [VERDICT_SLOT]) for claim, text in pairs]
    return in_batches(canvases, lambda batch: denoiser.choices(batch, 0))


LABELS = {"SUPPORTS": 0, "REFUTES": 1}


def stance(denoiser: Denoiser, rows: Sequence[Row], seed: int = 0) -> dict[str, float]:
    """Contrastive pairs, judged three ways. "accuracy" counts [NEI] as wrong; "three_way" adds as many silent pairs: each
    claim once with the evidence of another claim that shares a word with it; "pair_accuracy": a claim right on both sides.
    """
    probabilities = stances(denoiser, [(r["claim"], r["evidence"]) for r in rows])
    guessed = [max(range(3), key=p.__getitem__) for p in probabilities]
    right = [g == LABELS[r["label"]] for g, r in zip(guessed, rows, strict=True)]
    silent = stances(denoiser, silent_pairs(rows, seed))
    quiet = [max(range(3), key=p.__getitem__) == 2 for p in silent]
    by_claim: dict[str, list[bool]] = {}
    for row, ok in zip(rows, right, strict=True):
        by_claim.setdefault(row["claim"], []).append(ok)
    pairs = [all(v) for v in by_claim.values() if len(v) > 1]
    binary = [(p[0] < p[1]) == LABELS[r["label"]] for p, r in zip(probabilities, rows, strict=True)]
    return {
        "accuracy": 100 * sum(right) / len(right),
        "two_way": 100 * sum(binary) / len(binary),
        "pair_accuracy": 100 * sum(pairs) / max(len(pairs), 1),
        "three_way": 100 * (sum(right) + sum(quiet)) / (len(right) + len(quiet)),
        "silent": 100 * sum(quiet) / len(quiet),
        "n": len(rows),
    }


def silent_pairs(rows: Sequence[Row], seed: int) -> list[tuple[str, str]]:
    """Each row's claim with evidence of another claim: half of the draws take the candidate sharing most words of 30."""
    rng, pairs = random.Random(seed), []
    for row in rows:
        words = set(normalise(row["claim"]).split())
        drawn = rng.sample(list(rows), min(30, len(rows)))
        rivals = [r for r in drawn if r["evidence"] != row["evidence"] and _base(r) != _base(row)]
        near = max(rivals, key=lambda r: len(words & set(normalise(r["evidence"]).split())))
        pairs.append((row["claim"], near["evidence"] if rng.random() < 0.5 else rng.choice(rivals)["evidence"]))
    return pairs


def _base(row: Row) -> str:
    """The FEVER id that the four members of a symmetric group share."""
    return str(row["id"]).removesuffix("0000003").removesuffix("0000001").removesuffix("0000002")


def claim_only(train: Sequence[Row], rows: Sequence[Row]) -> float:
    """Accuracy of a logistic regression on the claim's words alone, fitted on training claims: what a leak would give."""
    vocabulary = {w: i for i, w in enumerate(sorted({w for r in train for w in normalise(r["claim"]).split()}))}

    def bag(row: Row) -> list[int]:
        return [vocabulary[w] for w in normalise(row["claim"]).split() if w in vocabulary]

    torch.manual_seed(0)
    layer = torch.nn.EmbeddingBag(len(vocabulary) + 1, 1, mode="sum")
    torch.nn.init.zeros_(layer.weight)
    optim = torch.optim.Adam(layer.parameters(), lr=0.02)
    bags = [torch.tensor([len(vocabulary), *bag(r)]) for r in train]
    target = torch.tensor([float(r["label"] != "entailment") for r in train])
    for _ in range(30):
        scores = layer(torch.cat(bags), torch.tensor([0, *[len(b) for b in bags[:-1]]]).cumsum(0))[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, target) + 1e-3 * layer.weight.square().sum()
        optim.zero_grad()
        loss.backward()
        optim.step()
    with torch.inference_mode():
        guess = [float(layer(torch.tensor([[len(vocabulary), *bag(r)]]))[0, 0]) > 0 for r in rows]
    return 100 * sum(g == (r["label"] == "REFUTES") for g, r in zip(guess, rows, strict=True)) / len(rows)


def repair(denoiser: Denoiser, rows: Sequence[Row]) -> dict[str, float]:
    """Wrong claims whose differing words are known to be wrong: they become one hole, filled from the evidence.

    "exact": the claim became the right one, word for word; "copied": rows whose right words stand in the evidence at all.
    """
    canvases, golds, possible = [], [], []
    for row in rows:
        before, _, after, right = _difference(row["wrong"], row["right"])
        pieces = tuple(p for p in (before, SlotSpec(MaskKind.TEXT), after) if p)
        canvases.append(lay(denoiser.tokenizer, pieces, [("e", row["evidence"])], (*pieces, CITE_SLOT)))
        golds.append(right)
        possible.append(normalise(right) in normalise(row["evidence"]))
    ranked = in_batches(canvases, lambda batch: denoiser.rank(batch, 0, 1))
    hits = [
        exact(next((r.fill.text for r in ranks if r.fill), ""), [g]) for ranks, g in zip(ranked, golds, strict=True)
    ]
    inside = [h for h, p in zip(hits, possible, strict=True) if p]
    return {
        "exact": 100 * sum(hits) / len(hits),
        "exact_copyable": 100 * sum(inside) / len(inside),
        "copyable": 100 * sum(possible) / len(hits),
        "n": len(hits),
    }


def _difference(wrong: str, right: str) -> tuple[str, str, str, str]:
    """The common head, what differs in `wrong`, the common tail, what differs in `right`; cut at words."""
    a, b = wrong.split(" "), right.split(" ")
    head = 0
    while head < min(len(a), len(b)) - 1 and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head - 1 and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    ends = len(a) - tail, len(b) - tail
    before = " ".join(a[:head]) + (" " if head else "")
    after = (" " if tail else "") + " ".join(a[ends[0] :])
    return before, " ".join(a[head : ends[0]]), after, " ".join(b[head : ends[1]])


def measure(
    denoiser: Denoiser, data: Path, train: Path | None, limit: int, steps: Sequence[int]
) -> Iterator[tuple[str, dict[str, float]]]:
    """(name, figures) of each test whose file is in `data`; `limit` rows each, 0 for all."""

    def rows(name: str) -> list[Row]:
        path = data / f"{name}.jsonl.gz"
        return read_rows(path, None) if path.exists() else []

    def cut(found: list[Row]) -> list[Row]:
        return random.Random(0).sample(found, limit) if 0 < limit < len(found) else found

    squad = cut(rows("squad_v1_dev"))
    if squad:
        for n in steps:
            yield f"squad 1.1 dev, {n} step(s)", span_filling(denoiser, squad, n, required=True)
    for name, required in (("squad_v2_dev", False), ("qed_dev", True)):
        if found := cut(rows(name)):
            yield f"{name}, 2 steps", span_filling(denoiser, found, 2, required)
    contrast = rows("fever_symmetric_claims_dev") + rows("fever_symmetric_claims_test")
    if contrast:
        yield "stance, symmetric FEVER", stance(denoiser, cut(contrast))
        if train:
            yield (
                "stance, claim-only baseline",
                {"accuracy": claim_only(read_rows(train / "fever_pairs.jsonl.gz"), contrast)},
            )
    if found := cut(rows("fever_symmetric_revision")):
        yield "repair, symmetric FEVER", repair(denoiser, found)


def load_checkpoint(path: Path) -> Denoiser:
    """The denoiser of a training checkpoint, in fp32."""
    model = EmbeddedModel()
    model.load_state_dict(torch.load(path, weights_only=True)["model"])
    return Denoiser(model, Tokenizer(package_folder() / "tokenizer.json"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--model", type=Path, default=weights.BUNDLED)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="rows a test, 0 for all")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    denoiser = load_checkpoint(args.checkpoint) if args.checkpoint else weights.load(args.model)
    figures = {}
    for name, found in _timed(measure(denoiser, args.data, args.train, args.limit, args.steps)):
        figures[name] = found
        print(f"{name:32}" + "  ".join(f"{k} {v:.2f}" for k, v in found.items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


def _timed(results: Iterator[tuple[str, dict[str, float]]]) -> Iterator[tuple[str, dict[str, float]]]:
    start = time.monotonic()
    for name, found in results:
        yield name, {**found, "seconds": time.monotonic() - start}
        start = time.monotonic()


if __name__ == "__main__":
    main()
