"""Measure the embedded denoiser.

`python -m palimpsest.dlm_core.evaluation.evaluate_embedded --data FOLDER [--model FOLDER | --checkpoint FILE]`

FOLDER holds evaluation files that no training step reads (squad_v1_dev, squad_v2_dev, qed_dev, hotpotqa_*, fever_symmetric_*, fm2_*,
climate_fever_*, wice_*, pubmedqa); what is missing is left out of the table. `--train FOLDER` adds the claim-only baseline, fitted on
the training claims. `--card FILE` prints the figures of a JSON file as a table for the model card.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from ..cache.span_cache import NO_CACHE, SPAN_CACHE, Cache
from ..canvas.canvas import Canvas
from ..canvas.tokenizer import Tokenizer
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..kinds import MaskKind, SlotSpec
from ..models.embedded import EmbeddedModel
from ..training.examples import Row, read_rows
from ..training.minilm import package_folder
from . import answering, correction, verdicts

Figures = dict[str, float]
Test = Callable[[Denoiser, "Files"], Figures | None]  # None where a file is missing
STEPS = (1, 2, 4, 8)
STARTS = (4, 8, 12, 16)  # tokens of a slot; the model copies at most 16
PASSAGES = 8  # of a question of two hops


class Files:
    """The rows of the evaluation files; of the large ones `limit` drawn by `seed` (0: all)."""

    def __init__(self, data: Path, train: Path | None, limit: int, seed: int):
        self.data, self.train, self.limit, self.seed = data, train, limit, seed

    def all(self, *names: str) -> list[Row]:
        paths = [self.data / f"{name}.jsonl.gz" for name in names]
        return [row for path in paths if path.exists() for row in read_rows(path, None)]

    def some(self, *names: str) -> list[Row]:
        return self.cut(self.all(*names))

    def cut(self, rows: list[Row]) -> list[Row]:
        return random.Random(self.seed).sample(rows, self.limit) if 0 < self.limit < len(rows) else rows


def _rows(measure: Callable[[Denoiser, list[Row]], Figures], *names: str) -> Test:
    """The test of a measure over the rows of some files."""

    def test(denoiser: Denoiser, files: Files) -> Figures | None:
        found = files.some(*names)
        return measure(denoiser, found) if found else None

    return test


def _with_corpus(measure: Callable[[Denoiser, list[Row], list[Row]], Figures], rows: str, corpus: str) -> Test:
    def test(denoiser: Denoiser, files: Files) -> Figures | None:
        found, texts = files.some(rows), files.all(corpus)
        return measure(denoiser, found, texts) if found and texts else None

    return test


def _squad(steps: int) -> Test:
    return _rows(lambda d, rows: answering.span_filling(d, rows, steps, required=True), "squad_v1_dev")


def _multi_hop(denoiser: Denoiser, files: Files) -> Figures | None:
    questions, corpus = files.some("hotpotqa_questions"), files.all("hotpotqa_corpus")
    return answering.multi_hop(denoiser, questions, corpus, PASSAGES, files.seed) if questions and corpus else None


def _claim_only(denoiser: Denoiser, files: Files) -> Figures | None:
    contrast = files.all(*SYMMETRIC)
    if not contrast or files.train is None:
        return None
    return {"accuracy": verdicts.claim_only(read_rows(files.train / "fever_pairs.jsonl.gz"), contrast)}


def _shared_words(denoiser: Denoiser, files: Files) -> Figures | None:
    contrast = files.all(*SYMMETRIC)
    if not contrast or files.train is None:
        return None
    return {"accuracy": verdicts.shared_words(read_rows(files.train / "fever_pairs.jsonl.gz"), contrast)}


def _step_times(denoiser: Denoiser, files: Files) -> Figures:
    return step_times(denoiser, (256, 1024, 2048))


SYMMETRIC = ("fever_symmetric_claims_dev", "fever_symmetric_claims_test")
TESTS: dict[str, Test] = {
    **{f"squad 1.1 dev, {n} step{'s' if n > 1 else ''}": _squad(n) for n in STEPS},
    "squad 2.0 dev, answer or none": _rows(lambda d, rows: answering.with_silence(d, rows, 2), "squad_v2_dev"),
    "qed dev, 2 steps": _rows(lambda d, rows: answering.span_filling(d, rows, 2, required=True), "qed_dev"),
    "hotpotqa, two documents among eight": _multi_hop,
    "stance, symmetric FEVER": _rows(verdicts.stance, *SYMMETRIC),
    "stance, claim-only baseline": _claim_only,
    "stance, shared-words baseline": _shared_words,
    "stance, FM2": _with_corpus(verdicts.fool_me_twice, "fm2_claims", "fm2_corpus"),
    "stance, Climate-FEVER sentences": _with_corpus(verdicts.sentences, "climate_fever_claims", "climate_fever_corpus"),
    "stance, WiCE chunks": _rows(verdicts.chunks, "wice_oracle_chunks_claim_dev", "wice_oracle_chunks_claim_test"),
    "stance, PubMedQA": _rows(verdicts.abstracts, "pubmedqa"),
    "repair, wrong words given": _rows(correction.repair, "fever_symmetric_revision"),
    "repair, wrong words to be found": _rows(correction.stale_drafts, "fever_symmetric_revision"),
    "error detection, squad 2.0 dev": _rows(answering.error_detection, "squad_v2_dev"),
    "slot length, squad 1.1 dev": _rows(lambda d, rows: answering.slot_lengths(d, rows, STARTS), "squad_v1_dev"),
    "milliseconds a step": _step_times,
}


def step_times(denoiser: Denoiser, sizes: Sequence[int], repeats: int = 9) -> Figures:
    """Median milliseconds of one denoising step over so many tokens of evidence, computed anew and from kept state."""
    figures = {}
    for size in sizes:
        canvas = _sheet(denoiser, size)
        _, (kept,) = denoiser.guess([canvas], [SPAN_CACHE])
        figures[f"{size}_tokens"] = _milliseconds(denoiser, canvas, NO_CACHE, repeats)
        figures[f"{size}_tokens_kept"] = _milliseconds(denoiser, canvas, kept, repeats)
    return {**figures, "threads": torch.get_num_threads()}


def _sheet(denoiser: Denoiser, tokens: int) -> Canvas:
    words, each = "The barge Marisa was built of oak in 1901 by Pietro Canale on the lake of Orta . ".split(), 200
    passages = [
        (str(n), " ".join(words[i % len(words)] for i in range(min(each, tokens - n * each))))
        for n in range(-(-tokens // each))
    ]
    return denoiser.build(["Who built the barge?"], passages, (SlotSpec(MaskKind.ENTITY), SlotSpec(MaskKind.CITE)))


def _milliseconds(denoiser: Denoiser, canvas: Canvas, cache: Cache, repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        denoiser.guess([canvas], [cache])
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def measure(denoiser: Denoiser, files: Sequence[Files], only: Sequence[str]) -> Iterator[tuple[str, Figures]]:
    """(name, figures) of each test whose name holds one of `only`, the median of every figure over the samples of `files`."""
    for name, test in TESTS.items():
        if only and not any(part in name for part in only):
            continue
        start = time.monotonic()
        samples = [found for found in (test(denoiser, f) for f in files) if found]
        if samples:
            medians = {key: statistics.median(t[key] for t in samples if key in t) for key in samples[0]}
            yield name, {**medians, "seconds": time.monotonic() - start}


def load_checkpoint(path: Path) -> Denoiser:
    """The denoiser of a training checkpoint, in fp32."""
    model = EmbeddedModel()
    model.load_state_dict(torch.load(path, weights_only=True)["model"])
    return Denoiser(model, Tokenizer(package_folder() / "tokenizer.json"))


def card(figures: dict[str, Figures]) -> str:
    """The figures as a markdown table."""
    head = "| test | figures |\n|---|---|"
    rows = [
        f"| {name} | " + ", ".join(f"{k.replace('_', ' ')} {v:.4g}" for k, v in found.items() if k != "seconds") + " |"
        for name, found in figures.items()
    ]
    return "\n".join([head, *rows])


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m palimpsest.dlm_core.evaluation.evaluate_embedded", description=__doc__
    )
    parser.add_argument("--data", type=Path, help="the folder of evaluation files")
    parser.add_argument("--train", type=Path)
    parser.add_argument("--model", type=Path, default=embedded_weights.BUNDLED)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--limit", type=int, default=0, help="rows a test, 0 for all")
    parser.add_argument("--seeds", type=int, default=1, help="samples of --limit rows; figures are their medians")
    parser.add_argument("--only", nargs="+", default=[], help="tests whose names hold one of these words")
    parser.add_argument("--json", type=Path, help="write the figures here, beside those it holds already")
    parser.add_argument("--card", type=Path, help="print the figures of this JSON file as a table, and measure nothing")
    args = parser.parse_args(argv)
    if args.card:
        print(card(json.loads(args.card.read_text())))
        return
    if args.data is None or not args.data.is_dir():
        parser.error(f"--data is {args.data}; give the folder of evaluation files")
    denoiser = load_checkpoint(args.checkpoint) if args.checkpoint else embedded_weights.load(args.model)
    figures = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    files = [Files(args.data, args.train, args.limit, seed) for seed in range(args.seeds if args.limit else 1)]
    for name, found in measure(denoiser, files, args.only):
        figures[name] = found
        print(f"{name:36}" + "  ".join(f"{k} {v:.2f}" for k, v in found.items()), flush=True)
        if args.json:
            args.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
