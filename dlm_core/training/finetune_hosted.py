"""Fine-tune a hosted family on examples.

`python -m palimpsest.dlm_core.training.finetune_hosted --model M --data FILE.jsonl.gz --out FOLDER`.

LoRA on the attention and feed-forward of LLaDA, Dream, LLaDA2 and their kin, over the same examples, masking and losses as the embedded
model, with a quality head (PRISM, arXiv 2510.01384). Killed at any moment, the same command goes on. The folder it leaves is opened
like any model: `research run --model FOLDER`.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from palimpsest.kernels import ops

from ..cache.attention import bounds, mix, visible
from ..canvas.canvas import Canvas
from ..denoisers.adapter import AdapterFacts, put_quality, quality_head, quality_of, save_adapter
from ..denoisers.embedded_weights import WeightsError
from ..denoisers.hosted import HostedDenoiser
from ..denoisers.open import open_denoiser
from ..models import lora
from ..models.checkpoint import family_of, folder_of
from ..models.errors import ModelError
from ..models.transformer import Block, Transformer
from .examples import Example, read_examples
from .held_out import LICENCES
from .hosted_targets import Targets, gathered, targets_of
from .losses import total
from .masking import Masking, maskings, stale
from .schedule import Progress, batches, rate, save

UPDATED = 8  # words of its own that a canvas is given at once for the quality head to judge (PRISM, section 4)


@dataclass(frozen=True)
class FinetuneConfig:
    """`rate` and `head_rate` are the peaks for adapter and quality head; `tokens` is about the size of a batch, `length` the longest
    canvas; of `quality_share` of the batches the model also judges words of its own.
    """

    model: str
    data: Path
    out: Path
    rank: int = 32
    alpha: float = 32.0
    rate: float = 2e-5
    head_rate: float = 1e-4
    epochs: float = 3.0
    tokens: int = 4096
    length: int = 2048
    quality_share: float = 0.25
    seed: int = 0
    save_seconds: float = 300.0


class Tuned:
    """A hosted denoiser with adapters beside its frozen weights, and the quality head."""

    def __init__(self, denoiser: HostedDenoiser, rank: int, alpha: float, seed: int):
        body = denoiser.body
        assert isinstance(body, Transformer)
        self.denoiser, self.body = denoiser, body
        torch.manual_seed(seed)
        lora.attach(body, rank, alpha)
        self.quality = quality_head(body).requires_grad_(True)

    def state(self) -> dict[str, Tensor]:
        return {**lora.adapter_of(self.body), **quality_of(self.quality)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        lora.restore(self.body, state)
        put_quality(self.quality, state)

    def hidden(self, canvases: Sequence[Canvas]) -> Tensor:
        """[N, C] final states of all rows of all canvases; in the backward pass each block is computed once more."""
        body = self.body
        positions, first = torch.cat([c.positions for c in canvases]), bounds([len(c) for c in canvases])
        seen = [visible(body.block_length, c.positions, c.positions) for c in canvases]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            spans = zip(first, first[1:], seen, strict=False)
            return torch.cat([mix(q[a:b], k[a:b], v[a:b], mask) for a, b, mask in spans])

        x = body.embed(torch.cat([torch.where(c.open, c.marks.mask, c.tokens) for c in canvases]))
        for block in body.blocks:
            assert isinstance(block, Block)
            x = checkpoint(block, x.to(block.device), positions, attend, use_reentrant=False)
        return body.norm(x.to(body.norm.weight.device))


def losses(tuned: Tuned, targets: Sequence[Targets], hidden: Tensor) -> dict[str, Tensor]:
    """Mean negative log-likelihood by part, as of `losses.loss`; `hidden` [N, C] are the states of all rows."""
    weight, parts = tuned.body.head_weight, {}
    everything = [(n, p) for n, x in enumerate(targets) for p in x.places]
    for part in dict.fromkeys(p.part for _, p in everything):
        rows = gathered(targets, [(n, p) for n, p in everything if p.part == part], tuned.body.shift, weight.device)
        states = hidden[rows.row.to(hidden.device)].to(weight)
        summed = ops.masked_loss(states, weight, rows.target, row_weight=rows.weight, allowed=rows.allowed)
        parts[part] = summed / rows.weight.sum()
    return parts


def judged(tuned: Tuned, targets: Sequence[Targets], hidden: Tensor, rng: random.Random) -> Tensor | None:
    """The loss of the quality head: up to `UPDATED` open places of each canvas get the model's own words, and it says which are right.

    None where nothing is open. The states it reads have no gradient, so that judging costs the writing nothing.
    """
    device, weight = hidden.device, tuned.body.head_weight
    picked = [(n, p) for n, x in enumerate(targets) for p in rng.sample(x.open, min(UPDATED, len(x.open)))]
    if not picked:
        return None
    with torch.no_grad():
        asked = gathered(targets, picked, tuned.body.shift, weight.device)
        words = ops.unmask(hidden[asked.row.to(device)].to(weight), weight, allowed=asked.allowed).token
        written = []
        for n, x in enumerate(targets):
            mine = (asked.canvas == n).cpu()
            where = torch.zeros(len(x.canvas), dtype=torch.bool)
            tokens, rows = x.canvas.tokens.clone(), torch.tensor([p.row for m, p in picked if m == n], dtype=torch.long)
            where[rows], tokens[rows] = True, words.cpu()[mine]
            written.append(replace(x, canvas=x.canvas.commit(where, tokens, x.canvas.source)))
        standing = tuned.hidden([x.canvas for x in written])[gathered(written, picked, 0, device).row]
    log_odds = tuned.quality(standing.float())[:, 0]
    return F.binary_cross_entropy_with_logits(log_odds, (words == asked.target).float().to(log_odds.device))


def shown(tuned: Tuned, examples: Sequence[Example], share: float, length: int, rng: random.Random) -> list[Targets]:
    """The targets of a batch when `share` of the training is over; those without any loss or of too long a canvas are left out."""
    seen: list[Masking] = [v for e in examples for v in maskings(e, share, rng)]
    if share > 0.3:
        outdated = [any(t.now for t in v.example.targets) and rng.random() < 0.3 for v in seen]
        seen = [stale(v) if old else v for v, old in zip(seen, outdated, strict=True)]
    targets = [targets_of(v, tuned.denoiser, rng) for v in seen]
    return [x for x in targets if x.places and len(x.canvas) <= length]


def finetune(config: FinetuneConfig) -> Iterator[dict[str, float]]:
    """Train until every example was seen `epochs` times on average; yields a row of metrics every 10 steps.

    ModelError for a model that is not of the table of families or a checkpoint of another, ValueError for a file without examples.
    """
    if config.epochs <= 0 or config.rank < 1:
        raise ValueError(
            f"epochs {config.epochs} and rank {config.rank} leave nothing to train; give more than 0 of both"
        )
    examples = list(read_examples(config.data))
    if not examples:
        raise ValueError(
            f"{config.data} holds no examples; build it with python -m palimpsest.dlm_core.training.build_examples"
        )
    tuned, progress = Tuned(_opened(config.model), config.rank, config.alpha, config.seed), Progress()
    groups = [
        {"params": [p for p in tuned.body.parameters() if p.requires_grad], "lr": config.rate, "peak": config.rate},
        {"params": list(tuned.quality.parameters()), "lr": config.head_rate, "peak": config.head_rate},
    ]
    optim = torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)
    config.out.mkdir(parents=True, exist_ok=True)
    kept = config.out / "checkpoint.pt"
    if kept.exists():
        state = torch.load(kept, weights_only=True)
        try:
            tuned.restore(state["model"])
        except ModelError as error:
            raise ModelError(f"{kept} is of another model or rank; give another --out") from error
        optim.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])
    yield from _steps(config, examples, tuned, optim, progress)
    save(kept, tuned.state(), optim, progress)
    export(config, examples, tuned, progress)


def _opened(model: str) -> HostedDenoiser:
    denoiser = open_denoiser(model)
    if not isinstance(denoiser, HostedDenoiser) or denoiser.quality is not None:
        raise ModelError(
            f"{model} cannot be fine-tuned here: give a checkpoint of LLaDA, Dream, LLaDA2 or their kin, without an adapter "
            "(palimpsest.dlm_core.training.train_embedded is for the embedded model)"
        )
    return denoiser


def _steps(
    config: FinetuneConfig, examples: Sequence[Example], tuned: Tuned, optim: torch.optim.AdamW, progress: Progress
) -> Iterator[dict[str, float]]:
    budget, saved, clock = config.epochs * len(examples), time.monotonic(), time.monotonic()
    window: dict[str, list[float]] = {}
    while True:
        pool = batches(lambda rng: rng.choice(examples), progress.pool, config.seed, config.tokens)
        for drawn in pool[progress.batch :]:
            if (share := progress.examples / budget) >= 1:
                return
            for group in optim.param_groups:
                group["lr"] = group["peak"] * rate(share)
            rng = random.Random(f"{config.seed}/{progress.pool}/{progress.batch}")
            targets = shown(tuned, drawn, share, config.length, rng)
            parts = _step(tuned, targets, optim, rng, rng.random() < config.quality_share) if targets else {}
            progress.step, progress.batch = progress.step + 1, progress.batch + 1
            progress.examples += len(drawn)
            now = time.monotonic()
            progress.seconds, clock = progress.seconds + now - clock, now
            for name, value in parts.items():
                window.setdefault(name, []).append(value)
            if progress.step % 10 == 0:
                yield {**vars(progress), "share": share, **{n: sum(v) / len(v) for n, v in window.items()}}
                window = {}
            if now - saved > config.save_seconds:
                save(config.out / "checkpoint.pt", tuned.state(), optim, progress)
                saved = clock = time.monotonic()
        progress.pool, progress.batch = progress.pool + 1, 0


def _step(
    tuned: Tuned, targets: Sequence[Targets], optim: torch.optim.AdamW, rng: random.Random, judges: bool
) -> dict[str, float]:
    hidden = tuned.hidden([x.canvas for x in targets])
    parts = losses(tuned, targets, hidden)
    values = {name: value.item() for name, value in parts.items()}
    total(parts).backward()
    if judges and (quality := judged(tuned, targets, hidden.detach(), rng)) is not None:
        quality.backward()
        values["quality"] = quality.item()
    for group in optim.param_groups:
        torch.nn.utils.clip_grad_norm_(group["params"], 1.0)
    optim.step()
    optim.zero_grad()
    return values


def export(config: FinetuneConfig, examples: Sequence[Example], tuned: Tuned, progress: Progress) -> None:
    """Leave adapter and quality head in the folder of the training, with what is known of their making."""
    folder = folder_of(config.model)
    facts = AdapterFacts(
        base=str(folder.resolve()) if Path(config.model).is_dir() else config.model,
        family=family_of(folder),
        rank=config.rank,
        alpha=config.alpha,
        training={**vars(progress), "seed": config.seed, "epochs": config.epochs},
        licences={s: LICENCES.get(s, "unknown: do not publish") for s in sorted({e.source for e in examples})},
    )
    save_adapter(config.out, facts, tuned.state())


def _arguments() -> FinetuneConfig:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.finetune_hosted", description=__doc__)
    parser.add_argument("--model", required=True, help="folder or Hugging Face id of a checkpoint of a known family")
    parser.add_argument(
        "--data", type=Path, required=True, help="a file of examples (palimpsest.dlm_core.training.build_examples)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for checkpoint, metrics.jsonl and the adapter")
    defaults = FinetuneConfig("", Path(), Path())
    for name in ("rank", "alpha", "rate", "head_rate", "epochs", "tokens", "length", "quality_share", "seed"):
        value = getattr(defaults, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    given: dict[str, Any] = vars(parser.parse_args())
    return FinetuneConfig(**given)


def main() -> None:
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    config = _arguments()
    try:
        with Bar(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()) as bar:
            task = bar.add_task("fine-tuning", total=1.0)
            for row in finetune(config):
                with (config.out / "metrics.jsonl").open("a") as out:
                    out.write(json.dumps(row) + "\n")
                text = "  ".join(f"{k} {v:.2f}" for k, v in row.items() if k in ("span", "choice", "cite", "quality"))
                bar.update(task, completed=row["share"], description=f"step {row['step']:.0f}  {text}")
    except (ModelError, WeightsError, ValueError, OSError, EOFError) as error:
        raise SystemExit(f"{error}") from error


if __name__ == "__main__":
    main()
