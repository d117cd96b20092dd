"""`python -m palimpsest.kernels.bench`: each kernel beside torch eager, torch.compile and the library kernel that exists for it.

Times are medians with the L2 cache emptied before each run; limits are measured in the same run, so that a fraction
compares with what this machine does and not with its data sheet. Without a GPU it is a rehearsal of the command.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from . import ops
from .commit import Commit
from .reference.kv_commit import kv_commit as plain_commit
from .visibility import Layout, Marks, Role, Visibility, visible

Run = Callable[[], object]
REHEARSAL = "Rehearsed on the CPU, where every kernel is its torch reference: no figure here speaks of a GPU."


@dataclass(frozen=True)
class Shape:
    """The sizes of a model that the kernels see."""

    name: str
    hidden: int
    heads: int
    kv_heads: int
    head: int
    vocabulary: int
    softcap: float = 0.0  # of the logits
    window: int = 0
    frequencies: int = 0  # pairs of channels that turn; 0: all

    @property
    def pairs(self) -> int:
        return self.frequencies or self.head // 2


SHAPES = (
    Shape("LLaDA-8B", 4096, 32, 32, 128, 126_464),
    Shape("iLLaDA-8B", 4096, 32, 8, 128, 155_136),
    Shape("Dream-7B", 3584, 28, 4, 128, 152_064),
    Shape("DiffusionGemma local", 2816, 16, 8, 256, 262_144, 30.0, 1024),
    Shape("DiffusionGemma global", 2816, 16, 2, 512, 262_144, 30.0, 0, 64),
)
SMALL_SHAPES = (Shape("small", 64, 4, 2, 32, 1000), Shape("small window", 64, 4, 1, 64, 1500, 30.0, 16, 8))


@dataclass(frozen=True)
class Sizes:
    """What is run: shapes, live rows, context lengths, tokens of a training step, repeats, bytes of the probes."""

    shapes: tuple[Shape, ...] = SHAPES
    rows: tuple[int, ...] = (16, 64, 128, 256)
    contexts: tuple[int, ...] = (1024, 4096, 8192, 32_768)
    tokens: int = 4096
    repeats: int = 20
    probe: int = 1 << 30
    matrix: int = 8192


SMALL = Sizes(SMALL_SHAPES, (4,), (64, 128), 32, 3, 1 << 22, 256)


@dataclass(frozen=True)
class Place:
    """Where it runs."""

    device: torch.device
    dtype: torch.dtype

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    def random(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.device, dtype=self.dtype)


@dataclass(frozen=True)
class Limits:
    """What this machine does, measured in this run."""

    copy_gigabytes_per_second: float
    matmul_teraflops: float

    def least_seconds(self, num_bytes: int, flops: int) -> float:
        """The time below which no kernel can move these bytes and do these operations."""
        return max(num_bytes / self.copy_gigabytes_per_second / 1e9, flops / self.matmul_teraflops / 1e12)


@dataclass(frozen=True)
class Case:
    """One kernel at one size: its contenders by name, ours first, and the bytes and operations that it needs at least."""

    kernel: str
    shape: str
    rows: int
    context: int
    num_bytes: int
    flops: int
    runs: dict[str, Run]


@dataclass(frozen=True)
class Measurement:
    """One contender's time: median milliseconds, rates, fraction of the measured limit, bytes allocated above its inputs."""

    kernel: str
    shape: str
    rows: int
    context: int
    contender: str
    milliseconds: float | None
    gigabytes_per_second: float | None = None
    teraflops: float | None = None
    fraction_of_limit: float | None = None
    peak_bytes: int | None = None  # on a GPU only
    error: str = ""


def main(argv: list[str] | None = None) -> int:
    """Measure, print a table, write JSON when asked; 0."""
    asked = _arguments().parse_args(argv)
    sizes = SMALL if asked.small else Sizes()
    device = torch.device(asked.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    place = Place(device, torch.bfloat16 if device.type == "cuda" else torch.float32)
    torch.manual_seed(0)
    limits = probe(place, sizes)
    print(
        f"{describe(place)}: copies {limits.copy_gigabytes_per_second:.0f} GB/s, {limits.matmul_teraflops:.2f} TFLOP/s"
    )
    if not place.is_gpu:
        print(REHEARSAL)
    print(HEADER)
    found = []
    for case in cases(place, sizes, asked.kernel or tuple(KERNELS)):
        for measurement in measure(case, place, sizes, limits):
            print(line(measurement), flush=True)
            found.append(measurement)
    if asked.json:
        asked.json.write_text(json.dumps(report(place, limits, found), indent=1), encoding="utf-8")
    return 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.kernels.bench", description="Time the kernels.")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="cuda where there is one")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to rehearse the command")
    parser.add_argument("--kernel", action="append", choices=tuple(KERNELS), help="only this one; may be given again")
    return parser


def describe(place: Place) -> str:
    """The device in words, with the version of torch."""
    name = torch.cuda.get_device_name(place.device) if place.is_gpu else "CPU"
    return f"{name}, torch {torch.__version__}"


def report(place: Place, limits: Limits, found: Iterable[Measurement]) -> dict[str, object]:
    """All of it as plain JSON."""
    return {
        "device": describe(place),
        "dtype": str(place.dtype).removeprefix("torch."),
        "is_rehearsal": not place.is_gpu,
        "note": "" if place.is_gpu else REHEARSAL,
        **asdict(limits),
        "measurements": [asdict(m) for m in found],
    }


COLUMNS = (
    f"{'kernel':<24}{'shape':<23}{'rows':>5}{'context':>8}",
    f"{'ms':>9}{'GB/s':>8}{'TFLOP/s':>9}{'limit':>7}{'MiB':>9}",
)
HEADER = f"{COLUMNS[0]}  {'contender':<10}{COLUMNS[1]}"


def line(m: Measurement) -> str:
    """A row of the table."""
    start = f"{m.kernel:<24}{m.shape:<23}{m.rows:>5}{m.context:>8}  {m.contender:<10}"
    if m.milliseconds is None:
        return f"{start} {m.error}"
    memory = "-" if m.peak_bytes is None else f"{m.peak_bytes / 2**20:.1f}"
    rates = f"{m.gigabytes_per_second:>8.0f}{m.teraflops:>9.2f}{m.fraction_of_limit:>7.0%}"
    return f"{start}{m.milliseconds:>9.3f}{rates}{memory:>9}"


def probe(place: Place, sizes: Sizes) -> Limits:
    """Copy bandwidth (bytes read and written) and the rate of a square matrix product."""
    source = torch.empty(sizes.probe, dtype=torch.uint8, device=place.device)
    target = torch.empty_like(source)
    copying = seconds(lambda: target.copy_(source), place, sizes.repeats)
    square = place.random(sizes.matrix, sizes.matrix)
    product = seconds(lambda: square @ square, place, sizes.repeats)
    return Limits(2 * sizes.probe / copying / 1e9, 2 * sizes.matrix**3 / product / 1e12)


def seconds(run: Run, place: Place, repeats: int) -> float:
    """The median time of a run."""
    for _ in range(3 if place.is_gpu else 1):
        run()
    return median((_gpu_seconds if place.is_gpu else _cpu_seconds)(run, repeats))


def _gpu_seconds(run: Run, repeats: int) -> list[float]:
    l2 = torch.empty(256 << 20, dtype=torch.uint8, device="cuda")
    spans = []
    for _ in range(repeats):
        l2.zero_()
        span = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        span[0].record()
        run()
        span[1].record()
        spans.append(span)
    torch.cuda.synchronize()
    return [first.elapsed_time(last) / 1e3 for first, last in spans]


def _cpu_seconds(run: Run, repeats: int) -> list[float]:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def peak_bytes(run: Run, place: Place) -> int | None:
    """The most memory that a run holds above what was held before it, on a GPU."""
    if not place.is_gpu:
        return None
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    run()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def measure(case: Case, place: Place, sizes: Sizes, limits: Limits) -> Iterator[Measurement]:
    """Each contender of a case; one that does not run, for want of memory or support, is a line that says so."""
    if place.is_gpu:
        torch.compiler.reset()  # after eight shapes of one function torch.compile would quietly run it eager
    for contender, run in case.runs.items():
        place_of = (case.kernel, case.shape, case.rows, case.context, contender)
        try:
            taken = seconds(run, place, sizes.repeats)
            memory = peak_bytes(run, place)
        except (RuntimeError, ValueError, NotImplementedError) as exc:
            if contender == OURS:
                raise
            yield Measurement(*place_of, None, error=f"{type(exc).__name__}: {str(exc).splitlines()[0][:80]}")
            continue
        rates = case.num_bytes / taken / 1e9, case.flops / taken / 1e12
        yield Measurement(
            *place_of, taken * 1e3, *rates, limits.least_seconds(case.num_bytes, case.flops) / taken, memory
        )


OURS = "ours"


def cases(place: Place, sizes: Sizes, kernels: Iterable[str]) -> Iterator[Case]:
    """The cases of some kernels, made one at a time: a case holds its tensors."""
    for kernel in kernels:
        for shape in sizes.shapes:
            yield from KERNELS[kernel](place, sizes, shape)


def _contenders(ours: Run, eager: Run, place: Place) -> dict[str, Run]:
    return {OURS: ours, "eager": eager} | ({"compiled": torch.compile(eager)} if place.is_gpu else {})


def attention_cases(place: Place, sizes: Sizes, shape: Shape) -> Iterator[Case]:
    """Live rows over a context of a question and seven passages, under each rule."""
    for context in sizes.contexts:
        for rows in sizes.rows:
            for rule in Visibility:
                yield attention_case(place, shape, rows, context, rule)


def attention_case(place: Place, shape: Shape, rows: int, context: int, rule: Visibility) -> Case:
    """Live rows stand in the middle of the context: of the draft where all is seen, of one passage under the local rule."""
    block, at = context // 8, torch.arange(context, device=place.device, dtype=torch.int32)
    keys = Marks(torch.where(at < block, int(Role.QUESTION), int(Role.EVIDENCE)).int(), at // block, at)
    live = keys.at((torch.arange(rows, device=place.device) + context // 2).clamp(max=context - 1))
    layout = Layout.of([live], [[(0, context)]], keys, visibility=rule, window=shape.window)
    q = place.random(rows, shape.heads, shape.head)
    k, v = (place.random(context, shape.kv_heads, shape.head) for _ in range(2))
    seen = visible(live, keys, rule, shape.window)
    per_key = 2 * shape.kv_heads * shape.head * q.element_size()
    read = int(seen.any(0).sum()) * per_key + 2 * q.numel() * q.element_size()
    mask = None if bool(seen.all()) else seen
    ours = partial(ops.attention, q, k, v, layout=layout)
    runs = _contenders(ours, partial(eager_attention, q, k, v, mask), place) | _library_attention(q, k, v, mask, place)
    name = f"attention {rule.name.lower().replace('_', '-')}"
    return Case(name, shape.name, rows, context, read, int(seen.sum()) * 4 * shape.heads * shape.head, runs)


def eager_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """The textbook: scores, softmax, mixture."""
    grouped = q.unflatten(1, (k.shape[1], -1))
    scores = torch.einsum("rhgd,khd->hgrk", grouped, k).float() * q.shape[-1] ** -0.5
    scores = scores if mask is None else scores.masked_fill(~mask, float("-inf"))
    return torch.einsum("hgrk,khd->rhgd", scores.softmax(-1).to(v.dtype), v).flatten(1, 2)


def _library_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, place: Place) -> dict[str, Run]:
    query, key, value = (x.transpose(0, 1)[None] for x in (q, k, v))
    sdpa = partial(scaled_dot_product_attention, query, key, value, attn_mask=mask, enable_gqa=True)
    if not place.is_gpu:
        return {"sdpa": sdpa}
    blocks = None if mask is None else create_block_mask(_shown(mask), None, None, len(q), len(k), device=str(q.device))
    return {
        "sdpa": sdpa,
        "flex": partial(torch.compile(flex_attention), query, key, value, block_mask=blocks, enable_gqa=True),
    }


def _shown(mask: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    return lambda batch, head, row, key: mask[row, key]


def commit_cases(place: Place, sizes: Sizes, shape: Shape) -> Iterator[Case]:
    """Live rows written, alone and while the keys of the whole context turn."""
    for rows in sizes.rows:
        yield commit_case(place, shape, rows, 0)
        for context in sizes.contexts:
            yield commit_case(place, shape, rows, context)


def commit_case(place: Place, shape: Shape, rows: int, context: int) -> Case:
    """`rows` written behind `context` rows that turn."""
    k_pool, v_pool = (place.random(context + rows, shape.kv_heads, shape.head) for _ in range(2))
    k_new, v_new = (place.random(rows, shape.kv_heads, shape.head) for _ in range(2))
    at = torch.arange(context + rows, device=place.device)
    frequencies = 10_000.0 ** -(torch.arange(shape.pairs, device=place.device) / shape.pairs)
    commit = Commit.of(at[context:], rows=at[:context], shift=3, inverse_frequencies=frequencies, rotary_dim=shape.head)
    turned = 2 * context * shape.kv_heads * 2 * shape.pairs * k_pool.element_size()
    written = 4 * rows * shape.kv_heads * shape.head * k_pool.element_size()
    ours = partial(ops.kv_commit, k_pool, v_pool, k_new, v_new, commit)
    runs = _contenders(ours, partial(plain_commit, k_pool, v_pool, k_new, v_new, commit), place)
    return Case("kv_commit", shape.name, rows, context, turned + written, 0, runs)


def unmask_cases(place: Place, sizes: Sizes, shape: Shape) -> Iterator[Case]:
    """Live rows against the head weight."""
    weight = place.random(shape.vocabulary, shape.hidden) / shape.hidden**0.5
    for rows in sizes.rows:
        hidden = place.random(rows, shape.hidden)
        runs = _contenders(
            partial(ops.unmask, hidden, weight, softcap=shape.softcap),
            partial(eager_unmask, hidden, weight, shape.softcap),
            place,
        )
        num_bytes = (weight.numel() + hidden.numel()) * weight.element_size()
        yield Case("unmask", shape.name, rows, 0, num_bytes, 2 * rows * weight.numel(), runs)


def eager_unmask(hidden: Tensor, weight: Tensor, softcap: float) -> tuple[Tensor, ...]:
    """Best token, its probability, entropy and margin from logits in memory."""
    logits = (hidden @ weight.T).float()
    logits = softcap * (logits / softcap).tanh() if softcap else logits
    spread = logits.log_softmax(-1)
    best = spread.topk(2, -1)
    probability = best.values.exp()
    return (
        best.indices[:, 0],
        probability[:, 0],
        -(spread.exp() * spread).sum(-1),
        probability[:, 0] - probability[:, 1],
    )


def loss_cases(place: Place, sizes: Sizes, shape: Shape) -> Iterator[Case]:
    """A training step at a mask ratio of 0.3: the loss and the gradients of hidden rows and head weight."""
    hidden = place.random(sizes.tokens, shape.hidden).requires_grad_()
    weight = (place.random(shape.vocabulary, shape.hidden) / shape.hidden**0.5).requires_grad_()
    target = torch.randint(shape.vocabulary, (sizes.tokens,), device=place.device)
    where = torch.rand(sizes.tokens, device=place.device) < 0.3
    given = (hidden, weight, target, where, shape.softcap)
    losses: dict[str, Callable[[], Tensor]] = {
        OURS: partial(ops.masked_loss, hidden, weight, target, where=where, softcap=shape.softcap),
        "eager": partial(eager_loss, *given),
    }
    if place.is_gpu:
        losses["compiled"] = torch.compile(losses["eager"])
    if place.is_gpu and importlib.util.find_spec("liger_kernel"):
        losses["liger"] = _liger(*given)
    runs = {name: partial(_step, loss, hidden, weight) for name, loss in losses.items()}
    num_rows = int(where.sum())
    num_bytes = (3 * weight.numel() + 2 * num_rows * shape.hidden) * weight.element_size()
    yield Case("masked_loss", shape.name, num_rows, 0, num_bytes, 6 * num_rows * weight.numel(), dict(runs))


def eager_loss(hidden: Tensor, weight: Tensor, target: Tensor, where: Tensor, softcap: float) -> Tensor:
    """Cross-entropy summed over the masked rows, logits in memory."""
    logits = (hidden[where] @ weight.T).float()
    logits = softcap * (logits / softcap).tanh() if softcap else logits
    return cross_entropy(logits, target[where], reduction="sum")


def _liger(hidden: Tensor, weight: Tensor, target: Tensor, where: Tensor, softcap: float) -> Callable[[], Tensor]:
    module = importlib.import_module("liger_kernel.transformers.fused_linear_cross_entropy")
    loss = module.LigerFusedLinearCrossEntropyLoss(reduction="sum", softcap=softcap or None)
    return partial(loss, weight, hidden, target.where(where, -100))


def _step(loss: Callable[[], Tensor], hidden: Tensor, weight: Tensor) -> None:
    hidden.grad = weight.grad = None
    loss().backward()


KERNELS: dict[str, Callable[[Place, Sizes, Shape], Iterator[Case]]] = {
    "attention": attention_cases,
    "kv_commit": commit_cases,
    "unmask": unmask_cases,
    "masked_loss": loss_cases,
}

if __name__ == "__main__":
    raise SystemExit(main())
