"""Measure the engine: `python -m palimpsest.dlm_core.evaluation.bench edit|drift [--json] [--out FILE] [--small] [--seconds S]`.

`edit` repairs 64 open tokens in a long canvas, with what is kept and without, side by side in one run: the embedded model over
2,000 tokens, and an 8B-shaped one (LLaDA-8B's layers, fewer of them, random weights) over 4,096 tokens against the sampler of the
public LLaDA code, which computes every row and every row's words at each step. On a machine with a GPU also the full 8B shape, beside
the time it takes to stream its weights once. `drift` tells how far kept state strays from a fresh pass, by distance from the edit and
by fringe.

Times are medians of alternating runs on whatever else the machine is doing; ratios are of the same run.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from palimpsest.kernels import ops

from ..cache.forward import hidden_states
from ..cache.span_cache import NO_CACHE, SPAN_CACHE, Cache, SpanCache
from ..canvas.canvas import Canvas, Marks, Role, Sheet
from ..canvas.tokenizer import Encoding, Template
from ..decoding.rules import fixed_schedule
from ..decoding.sampler import Frame, denoise
from ..denoisers import embedded_weights
from ..denoisers.embedded import Denoiser
from ..denoisers.embedded_layout import MAX_PASSAGE_TOKENS, build_canvas
from ..denoisers.hosted import HostedDenoiser
from ..kinds import MaskKind, SlotSpec
from ..models.transformer import Transformer, TransformerConfig

Row = dict[str, Any]

LLADA_8B = TransformerConfig(
    vocabulary=126464,
    width=4096,
    layers=32,
    heads=32,
    kv_heads=32,
    head_width=128,
    feed_forward=12288,
    mask=126336,
    end=126081,
    norm_epsilon=1e-5,
    rope_theta=500000.0,
)
SMALL = replace(
    LLADA_8B, vocabulary=2000, width=128, layers=2, heads=4, kv_heads=4, head_width=32, feed_forward=256, mask=3, end=2
)


@dataclass(frozen=True)
class Timed:
    seconds: float
    result: Any


def timed(work: Callable[[], Any]) -> Timed:
    start = time.perf_counter()
    result = work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return Timed(time.perf_counter() - start, result)


def alternating(works: Sequence[Callable[[], Any]], times: int) -> list[list[Timed]]:
    """Every work `times` times, turn about, so that what else the machine does falls on all alike."""
    rounds = [[timed(w) for w in works] for _ in range(times)]
    return [[r[i] for r in rounds] for i in range(len(works))]


def median_ms(runs: Sequence[Timed]) -> float:
    return round(1000 * statistics.median(r.seconds for r in runs), 2)


def agreement(one: Canvas, two: Canvas, places: Tensor) -> float:
    return float((one.tokens[places] == two.tokens[places]).float().mean())


def multiply_adds(work: Callable[[], Any]) -> int:
    with FlopCounterMode(display=False) as counter, ops.prefer("reference"):  # what Triton does is not counted
        work()
    return int(counter.get_total_flops() // 2)


def edit_embedded(size: int, times: int) -> Row:
    """The bundled model: a canvas of `size` tokens, 64 of them open in eight slots of the draft, denoised in two steps."""
    denoiser = embedded_weights.load(embedded_weights.BUNDLED)
    canvas = document(denoiser, size)
    warm = _first_guess(denoiser, canvas)

    def denoised(cache: Cache) -> Canvas:
        return list(denoise(denoiser, canvas, schedule=2, cache=cache))[-1].canvas

    denoised(NO_CACHE)
    plain, kept = alternating([lambda: denoised(NO_CACHE), lambda: denoised(warm)], times)
    one, two = plain[-1].result, kept[-1].result
    return {
        "name": "embedded",
        "tokens": len(canvas),
        "open": int(canvas.open.sum()),
        "steps": 2,
        "no_cache_ms": median_ms(plain),
        "span_cache_ms": median_ms(kept),
        "speedup": round(median_ms(plain) / median_ms(kept), 2),
        "agreement": agreement(one, two, canvas.open),
        "exact": True,
    }


def document(denoiser: Denoiser, size: int) -> Canvas:
    """`size` tokens: a question, passages of the bundled library, and a draft of eight sentences with a slot of eight in each."""
    words = denoiser.tokenizer
    text = " ".join(_library_texts())
    ids = words.encode(text)
    draft = [p for _ in range(8) for p in ("It is ", SlotSpec(MaskKind.TEXT, 8), ". ")]
    head = len(build_canvas(words, ["How fast are diffusion language models?"], [], draft))
    passages: list[tuple[str, str]] = []
    at, left = 0, size - head
    while left > 2:
        take = min(MAX_PASSAGE_TOKENS, left - 2)
        passages.append((f"p{len(passages)}", text[ids.offsets[at][0] : ids.offsets[at + take - 1][1]]))
        at, left = at + take, left - take - 2
    return build_canvas(words, ["How fast are diffusion language models?"], passages, draft)


def _library_texts() -> Iterator[str]:
    for path in sorted((Path(__file__).parents[2] / "retrieval" / "library").glob("*.md")):
        yield path.read_text(encoding="utf-8")


def _first_guess(denoiser: Denoiser | HostedDenoiser, canvas: Canvas, cache: Cache = SPAN_CACHE) -> Cache:
    """What is kept of a canvas once it has been read, before anything is repaired."""
    return denoiser.guess([canvas], [cache])[1][0]


class Letters:
    """A tokenizer for models with random weights: letters by their code."""

    template = Template("", "")

    def encode(self, text: str) -> Encoding:
        return Encoding([ord(c) % 1000 for c in text], [(n, n + 1) for n in range(len(text))])

    def control(self, text: str) -> list[int]:
        return self.encode(text).ids

    def decode(self, ids: list[int]) -> str:
        return " ".join(map(str, ids))


MANY = 1 << 20  # positions: random weights were trained for none


def random_model(config: TransformerConfig, device: str, dtype: torch.dtype, seed: int = 0) -> HostedDenoiser:
    """Weights as training begins with them: normal, 0.02 wide."""
    torch.manual_seed(seed)
    previous = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = Transformer(config)
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    torch.nn.init.normal_(parameter, std=0.02)
    finally:
        torch.set_default_dtype(previous)
    return HostedDenoiser(model.eval().requires_grad_(False), Letters(), config.mask, config.end, MANY)


def random_document(
    config: TransformerConfig, size: int, start: int, count: int, seed: int = 1
) -> tuple[Canvas, Canvas]:
    """A settled draft of `size` tokens, and the same with `count` of them open from `start` on."""
    noise = torch.Generator().manual_seed(seed)
    sheet = Sheet(Marks(config.mask, config.end, config.end))
    sheet.put(0)
    sheet.close(Role.QUESTION, "")
    for token in torch.randint(4, config.vocabulary - 1000, (size - 1,), generator=noise).tolist():
        sheet.put(token)
    sheet.close(Role.DRAFT, "")
    settled = sheet.canvas()
    return settled, settled.hole(start, start + count, SlotSpec(MaskKind.TEXT, count, free=True))


def public_llada_step(
    model: Transformer, mask: int, tokens: Tensor, open_places: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """One step of the public LLaDA sampler, as an algorithm: every row, the words of every row, softmax, then the `count` surest open.

    Returns tokens [T] and what is still open [T].
    """
    positions = torch.arange(len(tokens))
    hidden = _all_rows(model, torch.where(open_places, mask, tokens), positions)
    logits = model.logits(hidden)
    guess = logits.argmax(-1)
    sure = logits.softmax(-1).gather(-1, guess[:, None])[:, 0].cpu()
    sure = torch.where(open_places, sure, -torch.inf)
    chosen = torch.zeros_like(open_places)
    chosen[sure.topk(count).indices] = True
    return torch.where(chosen, guess.cpu(), tokens), open_places & ~chosen


def _all_rows(model: Transformer, tokens: Tensor, positions: Tensor) -> Tensor:
    from ..cache.attention import mix

    return model.rows(model.embed(tokens), positions, lambda layer, q, k, v: mix(q, k, v, None))


@torch.inference_mode()
def edit_8b(config: TransformerConfig, size: int, steps: int, device: str, dtype: torch.dtype) -> Row:
    """`size` tokens, 64 open in the middle: the kept way against the public sampler's algorithm, step by step in turn."""
    denoiser = random_model(config, device, dtype)
    model = denoiser.body
    assert isinstance(model, Transformer)
    count = 64
    settled, opened = random_document(config, size, size // 2, count)
    warm = hidden_states(
        model, denoiser.arena, denoiser.marks.mask, [settled], [SpanCache(fringe=64, bound=float("inf"))]
    )[1][0]
    frames = denoise(denoiser, opened, schedule=steps, commit=fixed_schedule(steps), cache=warm)
    tokens, places, each = opened.tokens, opened.open, -(-count // steps)
    plain: list[Timed] = []
    kept: list[Timed] = []
    for _ in range(steps):
        plain.append(timed(lambda: public_llada_step(model, config.mask, tokens, places, min(each, int(places.sum())))))  # noqa: B023
        tokens, places = plain[-1].result
        kept.append(timed(lambda: next(frames)))
    last: Frame = kept[-1].result
    assert last.report is not None
    work = (
        multiply_adds(lambda: public_llada_step(model, config.mask, opened.tokens, opened.open, each))
        if size <= 4096
        else 0
    )
    ours = multiply_adds(lambda: next(denoise(denoiser, opened, schedule=steps, cache=warm)))
    mine, theirs = last.canvas.tokens[opened.open], tokens[opened.open]
    return {
        "name": f"8B-shaped on {device}",
        "layers": config.layers,
        "tokens": size,
        "open": count,
        "fringe": 64,
        "rows_computed": last.report.recomputed,
        "steps": steps,
        "no_cache_ms": median_ms(plain),
        "span_cache_ms": median_ms(kept),
        "speedup": round(median_ms(plain) / median_ms(kept), 2),
        "multiply_adds_no_cache": work,
        "multiply_adds_span_cache": ours,
        "fewer_multiply_adds": round(work / ours, 2) if work else None,
        "agreement": float((mine == theirs).float().mean()),
        "drift": round(last.report.drift, 5),
        "exact": False,
    }


@torch.inference_mode()
def edit_gpu(size: int = 4096, steps: int = 8) -> Row:
    """The full 8B shape in bf16 on a GPU, beside the time of streaming its weights once (a sum over every parameter)."""
    row = edit_8b(LLADA_8B, size, steps, "cuda", torch.bfloat16)
    denoiser = random_model(LLADA_8B, "cuda", torch.bfloat16)
    assert isinstance(denoiser.body, Transformer)
    parameters = [p for p in denoiser.body.parameters() if p is not denoiser.body.embedding.weight]
    size_bytes = sum(p.numel() * p.element_size() for p in parameters)
    source = torch.empty(2**30, dtype=torch.int8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    copied = [timed(lambda: target.copy_(source)) for _ in range(20)]
    bandwidth = 2 * source.numel() / statistics.median(r.seconds for r in copied)
    limit = 1000 * size_bytes / bandwidth
    return {
        **row,
        "weight_bytes": size_bytes,
        "bandwidth_gb_s": round(bandwidth / 1e9, 1),
        "weight_stream_ms": round(limit, 2),
    }


Work = Callable[[], Row]


def edit(small: bool) -> list[Work]:
    """Every case of `edit` that this machine can run, a GPU's first."""
    config = SMALL if small else replace(LLADA_8B, layers=2)
    works: list[Work] = [edit_gpu] if torch.cuda.is_available() else []
    works.append(partial(edit_embedded, 600 if small else 2000, 2 if small else 7))
    return [*works, partial(edit_8b, config, 512 if small else 4096, 2, "cpu", torch.float32)]


DISTANCES = ((1, 8), (9, 32), (33, 128), (129, 512), (513, 4096))


def drift(small: bool) -> list[Work]:
    """How kept state strays: by distance from an edit of 8 tokens, and what a fringe mends of it, for real and for random weights."""
    random = partial(drift_random, SMALL if small else replace(LLADA_8B, layers=2), 256 if small else 1024)
    return [drift_embedded, random]


@torch.inference_mode()
def drift_embedded() -> Row:
    """The bundled model's draft rows (its evidence never drifts): keys and values before and after eight words of the draft change."""
    from ..models.embedded import Batch

    denoiser = embedded_weights.load(embedded_weights.BUNDLED)
    sentence = (
        "The tower was designed by an engineer and opened in the spring of the year for the great fair of the city. "
    )
    canvas = build_canvas(
        denoiser.tokenizer, ["Who designed the tower?"], [("p", "Stephen Sauvestre drew it in 1884.")], [sentence * 6]
    )
    draft = canvas.segments[-1]
    start = draft.start + 60
    changed = canvas.replace(start, start + 8, [2000 + n for n in range(8)])
    states = [_embedded_states(denoiser, Batch.of([c])) for c in (canvas, changed)]
    rows = torch.arange(draft.start, draft.end)
    return {
        "name": "embedded, draft rows",
        "tokens": len(canvas),
        "by_distance": _by_distance(states[0], states[1], rows, start, 8),
    }


def _embedded_states(denoiser: Denoiser, batch: Any) -> list[Tensor]:
    """Keys and values of every layer, [T, 2C] each, of a whole canvas."""
    model, x, kept = denoiser.model, None, []
    x = model.embed(batch.tokens, batch.positions, batch.roles, batch.kinds)
    visible = batch.visible()
    for layer in model.body:
        x, own = layer(x, visible)
        kept.append(torch.cat([part[0].transpose(0, 1).flatten(1) for part in own], 1))
    return kept


@torch.inference_mode()
def drift_random(config: TransformerConfig, size: int) -> Row:
    """Random layers of the 8B shape: the same, and with each fringe how near the open rows' words come to a full pass."""
    denoiser = random_model(config, "cpu", torch.float32)
    settled, opened = random_document(config, size, size // 2, 8)
    model, mask = denoiser.body, denoiser.marks.mask
    warm = hidden_states(model, denoiser.arena, mask, [settled], [SPAN_CACHE])[1][0]
    fresh = hidden_states(model, denoiser.arena, mask, [opened], [SPAN_CACHE])[1][0]
    assert warm is not None
    assert fresh is not None

    def states(cache: SpanCache) -> list[Tensor]:
        slots = cache.kept.slots
        return [
            torch.cat([k[slots].flatten(1), v[slots].flatten(1)], 1)
            for k, v in zip(denoiser.arena.keys, denoiser.arena.values, strict=True)
        ]

    (plain,), _ = denoiser.guess([opened], [NO_CACHE])
    fringes = []
    for fringe in (0, 8, 32, 128):
        (guess,), (cache,) = denoiser.guess([opened], [replace(warm, fringe=fringe, bound=float("inf"))])
        assert cache is not None
        where = opened.open
        fringes.append(
            {
                "fringe": fringe,
                "rows_computed": cache.report.recomputed,
                "probe_drift": round(cache.report.drift, 5),
                "agreement": float((guess.token[where] == plain.token[where]).float().mean()),
                "probability_error": float((guess.prob[where] / plain.prob[where] - 1).abs().mean()),
            }
        )
    rows = torch.arange(size)
    by_distance = _by_distance(states(warm), states(fresh), rows, size // 2, 8)
    return {
        "name": "8B-shaped, random",
        "layers": config.layers,
        "tokens": size,
        "by_distance": by_distance,
        "by_fringe": fringes,
    }


def _by_distance(before: Sequence[Tensor], after: Sequence[Tensor], rows: Tensor, start: int, length: int) -> list[Row]:
    """The mean relative L2 change of keys and values in the worst layer, by distance of the row from the edit."""
    distance = torch.maximum(start - rows, rows - (start + length - 1)).clamp_min(0)
    changes = [((a - b).norm(dim=1) / b.norm(dim=1))[rows] for a, b in zip(after, before, strict=True)]
    bands = []
    for low, high in DISTANCES:
        inside = (distance >= low) & (distance <= high)
        if inside.any():
            worst = max(float(c[inside].mean()) for c in changes)
            bands.append({"distance": f"{low}-{high}", "rows": int(inside.sum()), "drift": round(worst, 5)})
    return bands


def results(name: str, works: Sequence[Work], seconds: float | None) -> Iterator[Row]:
    """What is known after each case; none is begun after `seconds`. A case that fails is one that says so, and stops no other.

    `speedup` and `agreement` at the top of `edit` are the embedded model's.
    """
    start, cases = time.monotonic(), list[Row]()
    for work in works:
        if seconds and time.monotonic() - start >= seconds:
            break
        try:
            cases.append(work())
        except Exception as error:  # noqa: BLE001  (whatever a device raises is its case's to say)
            cases.append({"name": _name(work), "error": f"{type(error).__name__}: {error}"})
        top = next((c for c in cases if c["name"] == "embedded"), {})
        yield {
            "bench": name,
            "threads": torch.get_num_threads(),
            **{n: top[n] for n in TOP if n in top},
            "cases": cases,
        }


TOP = ("speedup", "agreement", "no_cache_ms", "span_cache_ms", "tokens", "open")


def _name(work: Work) -> str:
    return str(getattr(getattr(work, "func", work), "__name__", work))


def table(case: Row) -> str:
    """A case as lines for a person."""
    lines = [case["name"]]
    for key, value in case.items():
        if isinstance(value, list):
            lines += [f"  {key}: " + ", ".join(f"{k} {v}" for k, v in item.items()) for item in value]
        elif key != "name":
            lines.append(f"  {key}: {value}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write each case as it is measured; 1 when one failed."""
    parser = argparse.ArgumentParser(
        prog="python -m palimpsest.dlm_core.evaluation.bench", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("what", choices=("edit", "drift"))
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output instead of a table")
    parser.add_argument("--out", type=Path, help="write the JSON to this file as well, anew after each case")
    parser.add_argument(
        "--small", action="store_true", help="sizes that take seconds: a rehearsal, no figures to quote"
    )
    parser.add_argument("--seconds", type=float, help="begin no case after so many seconds")
    chosen = parser.parse_args(arguments)
    result: Row = {}
    for result in results(chosen.what, {"edit": edit, "drift": drift}[chosen.what](chosen.small), chosen.seconds):
        if chosen.out:
            chosen.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        if not chosen.json:
            print(table(result["cases"][-1]), flush=True)
    if chosen.json:
        print(json.dumps(result))
    return int(any("error" in case for case in result["cases"]))


if __name__ == "__main__":
    raise SystemExit(main())
