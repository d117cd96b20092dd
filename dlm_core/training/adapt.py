"""Turn an autoregressive checkpoint (Llama, Qwen2, Qwen3, SmolLM2) into a block-diffusion one.

`python -m palimpsest.dlm_core.training.adapt --from FOLDER --to block --data FILE --out FOLDER --minutes 30`.

From the next token to the next block: attention is opened by and by, from what stands before a
word to its whole block, while the words of texts are learnt under complementary masks. A word is still read off the row before it, so
that nothing of what the model knows of next words is lost on the way. Killed at any moment, the same command goes on. The folder it
leaves is opened like any model: `research run --model FOLDER`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..cache.attention import mix
from ..canvas.tokenizer import ChatTokenizer
from ..models.checkpoint import load_causal, read_json, tensors, write_weights
from ..models.errors import ModelError
from ..models.families import find_causal
from ..models.transformer import Transformer
from .block_layout import Layout, layout, seen
from .examples import read_rows
from .held_out import LICENCES
from .schedule import Progress, rate, save

MASK = "<|mask|>"
HELD = 50  # one document of so many is not trained on
SETTINGS = "settings.json"  # in the folder of a training: what it was begun with
LEAST_LETTERS = 200  # of a paragraph; shorter ones are headings and scraps
COPIED = (
    "tokenizer_config.json",
    "chat_template.jinja",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "LICENSE",
)


@dataclass(frozen=True)
class AdaptConfig:
    """`minutes` or `steps` is the budget; after `anneal` of it a word sees its whole `block`. A step takes `texts` texts of `length`
    tokens; of the file the first `documents` documents are read; `held` texts measure the loss.
    """

    source: Path
    data: Path
    out: Path
    minutes: float = 0.0
    steps: int = 0
    block: int = 32
    length: int = 192
    texts: int = 2
    rate: float = 2e-4
    anneal: float = 0.5
    documents: int = 4000
    held: int = 24
    seed: int = 0
    bf16: bool = True
    save_seconds: float = 240.0
    licence: str = ""

    def __post_init__(self) -> None:
        if bool(self.minutes > 0) == bool(self.steps > 0):
            raise ValueError("give either --minutes or --steps, more than 0")
        if self.source != Path() and self.source.resolve() == self.out.resolve():
            raise ValueError(f"{self.out} is the checkpoint itself; give another --out")
        if self.block < 2 or self.length % self.block or self.length < 2 * self.block:
            raise ValueError(
                f"a text of {self.length} tokens is no number of whole blocks of {self.block}, two at least"
            )

    @property
    def drawn(self) -> dict[str, str]:
        """What decides which texts a step sees, and how: a training goes on with the same."""
        digest = hashlib.sha256(self.data.read_bytes()).hexdigest()
        names = ("block", "length", "texts", "documents", "seed")
        return {"data": digest, **{name: str(getattr(self, name)) for name in names}}

    def share(self, progress: Progress) -> float:
        """How much of the budget is used up."""
        return progress.step / self.steps if self.steps else progress.seconds / (60 * self.minutes)


@dataclass(frozen=True)
class Adapted:
    """A model on its way: its body, whose `mask` row may be new, and its tokenizer."""

    body: Transformer
    tokenizer: ChatTokenizer
    mask: int


def opened(folder: Path) -> Adapted:
    """The causal model of `folder` with a place for the mask token: an id that its vocabulary leaves free, or one more row."""
    if {"mask_token_id", "block_length"} <= read_json(folder / "config.json").keys():
        raise ModelError(f"{folder} is a diffusion model already; give --from the autoregressive checkpoint")
    body, tokenizer = load_causal(folder)
    known = tokenizer.id_of(MASK)
    mask = tokenizer.size if known is None else known
    if mask >= body.config.vocabulary:
        _grow(body, mask + 1)
    return Adapted(body.requires_grad_(True), tokenizer, mask)


def _grow(body: Transformer, rows: int) -> None:
    """Give the vocabulary more rows, each the mean of the old ones, in place."""
    body.embedding.weight = _longer(body.embedding.weight, rows)
    body.head.weight = body.embedding.weight if body.config.tied else _longer(body.head.weight, rows)
    body.config = replace(body.config, vocabulary=rows)


def _longer(weight: Tensor, rows: int) -> nn.Parameter:
    more = weight.mean(0, keepdim=True).expand(rows - len(weight), -1)
    return nn.Parameter(torch.cat([weight, more]).detach())


def documents(config: AdaptConfig) -> list[str]:
    """The texts of a file: of JSON lines the long strings of each row, of plain text its paragraphs. ValueError when there are none."""
    if ".jsonl" in config.data.name:
        found = ["\n\n".join(_strings(row)) for row in read_rows(config.data, config.documents)]
    else:
        found = config.data.read_text(encoding="utf-8").split("\n\n")[: config.documents]
    kept = list(dict.fromkeys(text for text in found if len(text) >= LEAST_LETTERS))
    if len(kept) < 2:
        raise ValueError(
            f"{config.data} holds fewer than two different texts of {LEAST_LETTERS} letters; give more to read"
        )
    return kept


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if len(value) >= LEAST_LETTERS else []
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in inside for text in _strings(part)]


def parted(found: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is trained on and what is held out, by a hash of each text; of a few the last is held out."""
    held = [t for t in found if int(hashlib.sha256(t.encode()).hexdigest(), 16) % HELD == 0] or [found[-1]]
    held = held if len(held) < len(found) else held[:1]
    kept = set(held)
    return [t for t in found if t not in kept], held


def texts(found: Sequence[str], tokenizer: ChatTokenizer, end: int, length: int, seed: int) -> Iterator[Tensor]:
    """Texts [length] without end, one document after the other, each closed by `end`; every pass in another order."""
    rest: list[int] = []
    for number in range(1_000_000_000):
        order = list(found)
        random.Random(f"{seed}/{number}").shuffle(order)
        for document in order:
            rest += [*tokenizer.encode(document).ids, end]
            while len(rest) >= length:
                yield torch.tensor(rest[:length])
                rest = rest[length:]


def hidden(body: Transformer, laid: Layout, visible: Tensor) -> Tensor:
    """[T, C] the final states that the words of a layout are read off."""
    positions = laid.positions.to(visible.device)
    states = body.rows(body.embed(laid.tokens), positions, partial(_over, visible))
    return states[laid.row.to(states.device)]


def loss_of(body: Transformer, laid: Layout, visible: Tensor) -> Tensor:
    """The mean negative log-likelihood, in nats, of the open words of a layout."""
    logits = body.logits(hidden(body, laid, visible))
    return F.cross_entropy(logits.float(), laid.target.to(logits.device))


@torch.inference_mode()
def measured(model: Adapted, config: AdaptConfig, held: Sequence[str]) -> float:
    """The loss of open words on the first held-out texts, in blocks, under masks that are always the same."""
    several = texts(held, model.tokenizer, model.body.config.end, config.length, 0)
    visible = seen(config.length, config.block, config.block - 1).to(model.body.head_weight.device)
    generator = torch.Generator().manual_seed(0)
    with _precision(config, visible.device):
        found = [
            float(loss_of(model.body, layout(words, config.block, model.mask, generator), visible))
            for words in islice(several, config.held)
        ]
    return sum(found) / len(found)


@torch.inference_mode()
def next_word(model: Adapted, config: AdaptConfig, held: Sequence[str]) -> float:
    """The loss of the next word on the same texts, each word seeing those before it: what the model that was given knows of them."""
    found = []
    for words in islice(texts(held, model.tokenizer, model.body.config.end, config.length, 0), config.held):
        words = words.to(model.body.head_weight.device)
        visible, positions = torch.ones(len(words), len(words)).tril().bool().to(words.device), torch.arange(len(words))
        attend = partial(_over, visible)
        with _precision(config, words.device):
            states = model.body.rows(model.body.embed(words), positions.to(words.device), attend)
            logits = model.body.logits(states[:-1])
        found.append(float(F.cross_entropy(logits.float(), words[1:])))
    return sum(found) / len(found)


def _over(visible: Tensor, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return mix(q, k, v, visible)


def _precision(config: AdaptConfig, device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if config.bf16 else nullcontext()


def adapt(config: AdaptConfig) -> Iterator[dict[str, float]]:
    """Train to the end of the budget, and leave the checkpoint in `config.out`; yields a row of metrics every few steps.

    The first and the last row hold `masked`, the loss of open words on held-out text; the first `next_word` too, what the model lost
    on the next words of it when it came. ModelError for a checkpoint that cannot be adapted, ValueError for a file without texts.
    """
    torch.manual_seed(config.seed)
    model = opened(config.source)
    if config.length > model.body.config.max_positions:
        raise ValueError(f"this model has {model.body.config.max_positions} positions; give a shorter --length")
    model.body.to("cuda" if torch.cuda.is_available() else "cpu")
    trained, held = parted(documents(config))
    optim = torch.optim.AdamW(model.body.parameters(), lr=config.rate, betas=(0.9, 0.95), weight_decay=0.0)
    progress = Progress()
    start: dict[str, float] = {}
    config.out.mkdir(parents=True, exist_ok=True)
    kept = config.out / "checkpoint.pt"
    if kept.exists():
        _check_same(config)
        progress, start = _restored(kept, model, optim)
    else:
        (config.out / SETTINGS).write_text(json.dumps(config.drawn, indent=1) + "\n", encoding="utf-8")
        start = {"next_word": next_word(model, config, held), "masked": measured(model, config, held)}
        yield {"step": 0.0, "share": 0.0, **start}
    yield from _steps(config, model, trained, optim, progress, start)
    _save(kept, model, optim, progress, start)
    end = measured(model, config, held)
    _export(config, model, progress, {**{f"{n}_at_start": v for n, v in start.items()}, "masked": end})
    yield {**vars(progress), "share": 1.0, "masked": end}


def _restored(kept: Path, model: Adapted, optim: torch.optim.AdamW) -> tuple[Progress, dict[str, float]]:
    state = torch.load(kept, weights_only=True)
    try:
        model.body.load_state_dict(state["model"])
    except RuntimeError as error:
        raise ModelError(f"{kept} is of another model; give another --out") from error
    optim.load_state_dict(state["optimizer"])
    progress = Progress(**state["progress"])
    return progress, read_json(kept.with_name("start.json"))


def _check_same(config: AdaptConfig) -> None:
    """ValueError names what is given otherwise than when the training in `config.out` began."""
    begun, now = read_json(config.out / SETTINGS), config.drawn
    other = [name for name in now if begun.get(name) != now[name]]
    if other:
        raise ValueError(
            f"{config.out} was begun with another {', '.join(other)}; go on with the same, or give another --out"
        )


def _save(kept: Path, model: Adapted, optim: torch.optim.AdamW, progress: Progress, start: dict[str, float]) -> None:
    if not kept.exists():
        kept.with_name("start.json").write_text(json.dumps(start) + "\n")
    save(kept, model.body.state_dict(), optim, progress)


def _steps(
    config: AdaptConfig,
    model: Adapted,
    trained: Sequence[str],
    optim: torch.optim.AdamW,
    progress: Progress,
    start: dict[str, float],
) -> Iterator[dict[str, float]]:
    several = texts(trained, model.tokenizer, model.body.config.end, config.length, config.seed)
    several = islice(several, progress.step * config.texts, None)  # what was read before a kill
    saved = clock = time.monotonic()
    window: list[float] = []
    while (share := config.share(progress)) < 1:
        ahead = int(min(share / max(config.anneal, 1e-9), 1.0) * (config.block - 1))
        optim.param_groups[0]["lr"] = config.rate * rate(share)
        generator = torch.Generator().manual_seed(config.seed * 1_000_003 + progress.step)
        laid = [layout(words, config.block, model.mask, generator) for words in islice(several, config.texts)]
        window.append(_step(config, model, laid, seen(config.length, config.block, ahead), optim))
        now = time.monotonic()
        progress.step, progress.examples = progress.step + 1, progress.examples + config.texts
        progress.seconds, clock = progress.seconds + now - clock, now
        if progress.step % 10 == 0:
            yield {**vars(progress), "share": share, "ahead": ahead, "loss": sum(window) / len(window)}
            window = []
        if now - saved > config.save_seconds:
            _save(config.out / "checkpoint.pt", model, optim, progress, start)
            saved = clock = time.monotonic()


def _step(
    config: AdaptConfig, model: Adapted, laid: Sequence[Layout], visible: Tensor, optim: torch.optim.AdamW
) -> float:
    """One update from some texts, whose activations are held one text at a time."""
    visible = visible.to(model.body.head_weight.device)
    total = 0.0
    for each in laid:
        with _precision(config, visible.device):
            loss = loss_of(model.body, each, visible) / len(laid)
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(model.body.parameters(), 1.0)
    optim.step()
    optim.zero_grad()
    return total


def _export(config: AdaptConfig, model: Adapted, progress: Progress, figures: dict[str, float]) -> None:
    """Leave a checkpoint in the folder of the training, in the format of the one it came from; config.json last."""
    stored = read_json(config.source / "config.json")
    ours = dict(model.body.named_parameters(remove_duplicate=False))
    family = find_causal(stored)
    weights: dict[str, Tensor] = {}
    for name, _ in tensors(config.source):
        for piece in family.place(name, model.body.config):
            weights[name] = ours[piece.name]
    if model.body.config.tied:
        weights.pop("lm_head.weight", None)
    write_weights(config.out, weights)
    _write_tokenizer(config, model.mask)
    (config.out / "MODEL_CARD.md").write_text(card(config, progress, figures), encoding="utf-8")
    facts = {
        **{k: v for k, v in stored.items() if k not in ("_name_or_path", "torch_dtype")},
        "vocab_size": model.body.config.vocabulary,
        "mask_token_id": model.mask,
        "block_length": config.block,
        "shift": 1,
        "dtype": "float32",
    }
    partial = config.out / "config.tmp"
    partial.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    partial.replace(config.out / "config.json")


def _write_tokenizer(config: AdaptConfig, mask: int) -> None:
    for name in COPIED:
        if (config.source / name).exists():
            shutil.copyfile(config.source / name, config.out / name)
    if (config.source / "tokenizer.json").exists():
        tokenizer = read_json(config.source / "tokenizer.json")
        added = tokenizer.setdefault("added_tokens", [])
        if all(token["content"] != MASK for token in added):
            plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
            added.append({"id": mask, "content": MASK, **plain, "special": True})
        (config.out / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")


def card(config: AdaptConfig, progress: Progress, figures: dict[str, float]) -> str:
    """What the model came of, what it was trained on under which licence, and what was measured."""
    name = config.data.name.split(".")[0]
    licence = config.licence or LICENCES.get(name, "unknown: do not publish what was trained on it")
    digest = hashlib.sha256(config.data.read_bytes()).hexdigest()
    lines = [
        f"# {config.source.name}, adapted to block diffusion",
        "",
        f"Made by palimpsest.dlm_core.training.adapt from the autoregressive checkpoint {config.source.name}, whose licence holds on.",
        f"Text: {config.data.name} (SHA-256 {digest}), {licence}.",
        f"{progress.step} steps of {config.texts} texts of {config.length} tokens, {progress.seconds / 60:.1f} minutes; blocks of "
        f"{config.block}; each word is read off the row before it.",
        "",
        "Mean negative log-likelihood (nats) of held-out text of the same file:",
        "",
        *(f"- {name.replace('_', ' ')}: {value:.3f}" for name, value in figures.items()),
        "",
        "A short adaptation shows that the way works. It makes no model that writes well.",
        "",
        f"Settings: {json.dumps({k: str(v) for k, v in asdict(config).items() if k not in ('source', 'data', 'out')})}",
    ]
    return "\n".join(lines) + "\n"


def _arguments() -> AdaptConfig:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.dlm_core.training.adapt", description=__doc__)
    parser.add_argument(
        "--from", dest="source", type=Path, required=True, help="folder of a Llama, Qwen or SmolLM2 model"
    )
    parser.add_argument("--to", choices=["block"], required=True, help="what it becomes: a model of blocks")
    parser.add_argument("--data", type=Path, required=True, help="text: .txt, .jsonl, .jsonl.gz or .jsonl.xz")
    parser.add_argument("--out", type=Path, help="folder for the checkpoint; by default beside --from, with -block")
    defaults = AdaptConfig(Path(), Path(), Path(), steps=1)
    parser.add_argument("--minutes", type=float, default=0.0, help="how long to train")
    parser.add_argument("--steps", type=int, default=0, help="or how many steps")
    for name in ("block", "length", "texts", "rate", "anneal", "documents", "held", "seed"):
        value = getattr(defaults, name)
        parser.add_argument(f"--{name}", type=type(value), default=value, help=f"default {value}")
    parser.add_argument("--licence", default="", help="of the text, for the card")
    parser.add_argument("--fp32", dest="bf16", action="store_false", help="train in fp32 throughout")
    given: dict[str, Any] = vars(parser.parse_args())
    del given["to"]
    source = given["source"]
    return AdaptConfig(**{**given, "out": given["out"] or source.with_name(f"{source.name}-block")})


def main() -> None:
    try:
        config = _arguments()
        for row in adapt(config):
            with (config.out / "metrics.jsonl").open("a") as out:
                out.write(json.dumps(row) + "\n")
            shown = "  ".join(
                f"{k} {row[k]:.3f}" for k in ("share", "ahead", "loss", "next_word", "masked") if k in row
            )
            print(f"step {row['step']:.0f}  {shown}", flush=True)
    except (ModelError, ValueError, OSError, EOFError) as error:
        raise SystemExit(f"{error}") from error


if __name__ == "__main__":
    main()
