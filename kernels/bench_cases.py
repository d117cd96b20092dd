"""What the bench measures: each kernel beside torch eager, torch.compile and the library kernel that exists for it, size by size."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product, zip_longest

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

from . import ops
from .commit import Commit
from .reference.kv_commit import kv_commit as plain_commit
from .visibility import Layout, Marks, Role, Visibility, visible

Run = Callable[[], object]
OURS = "ours"
COMPILED = ("compiled", "flex")  # contenders that torch compiles first, seconds each


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
    rows: tuple[int, ...] = (64, 16, 128, 256)  # the most telling size first: a bench may be cut short
    contexts: tuple[int, ...] = (4096, 1024, 8192, 32_768)
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
class Planned:
    """A case that is not made yet, known by the kernel and the shape of its model."""

    kernel: str
    shape: str
    make: Callable[[], Case]


Makes = list[Callable[[], Case]]


def cases(place: Place, sizes: Sizes, kernels: Iterable[str]) -> Iterator[Planned]:
    """The cases of some kernels, every kernel and shape in turn; a case holds its tensors, so it is made when it is run."""
    turns = [
        [Planned(kernel, shape.name, make) for make in KERNELS[kernel](place, sizes, shape)]
        for shape in sizes.shapes
        for kernel in kernels
    ]
    for turn in zip_longest(*turns):
        yield from (planned for planned in turn if planned)


def _contenders(ours: Run, eager: Run, place: Place) -> dict[str, Run]:
    return {OURS: ours, "eager": eager} | ({"compiled": prepared(lambda: torch.compile(eager))} if place.is_gpu else {})


def prepared(make: Callable[[], Run]) -> Run:
    """A run that is made when it is first run: what cannot be made is the fault of its own row."""
    made: list[Run] = []

    def run() -> object:
        if not made:
            made.append(make())
        return made[0]()

    return run


def attention_cases(place: Place, sizes: Sizes, shape: Shape) -> Makes:
    """Live rows over a context of a question and seven passages, under each rule."""
    every = product(sizes.contexts, sizes.rows, Visibility)
    return [partial(attention_case, place, shape, rows, context, rule) for context, rows, rule in every]


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

    def flex() -> Run:
        library = importlib.import_module("torch.nn.attention.flex_attention")
        size = None, None, len(q), len(k)
        blocks = None if mask is None else library.create_block_mask(_shown(mask), *size, device=str(q.device))
        compiled = torch.compile(library.flex_attention)
        return partial(compiled, query, key, value, block_mask=blocks, enable_gqa=True)

    return {"sdpa": sdpa, "flex": prepared(flex)}


def _shown(mask: Tensor) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    return lambda batch, head, row, key: mask[row, key]


def commit_cases(place: Place, sizes: Sizes, shape: Shape) -> Makes:
    """Live rows written, alone and while the keys of the whole context turn."""
    every = product(sizes.rows, (*sizes.contexts, 0))
    return [partial(commit_case, place, shape, rows, context) for rows, context in every]


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


def unmask_cases(place: Place, sizes: Sizes, shape: Shape) -> Makes:
    return [partial(unmask_case, place, shape, rows) for rows in sizes.rows]


def unmask_case(place: Place, shape: Shape, rows: int) -> Case:
    """Live rows against the head weight."""
    weight = place.random(shape.vocabulary, shape.hidden) / shape.hidden**0.5
    hidden = place.random(rows, shape.hidden)
    runs = _contenders(
        partial(ops.unmask, hidden, weight, softcap=shape.softcap),
        partial(eager_unmask, hidden, weight, shape.softcap),
        place,
    )
    num_bytes = (weight.numel() + hidden.numel()) * weight.element_size()
    return Case("unmask", shape.name, rows, 0, num_bytes, 2 * rows * weight.numel(), runs)


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


def loss_cases(place: Place, sizes: Sizes, shape: Shape) -> Makes:
    return [partial(loss_case, place, sizes, shape)]


def loss_case(place: Place, sizes: Sizes, shape: Shape) -> Case:
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
    runs: dict[str, Run] = {name: partial(_step, loss, hidden, weight) for name, loss in losses.items()}
    if place.is_gpu:
        runs["liger"] = prepared(lambda: partial(_step, _liger(*given), hidden, weight))
        runs["compiled"] = prepared(lambda: partial(_step, torch.compile(losses["eager"]), hidden, weight))
    num_rows = int(where.sum())
    num_bytes = (3 * weight.numel() + 2 * num_rows * shape.hidden) * weight.element_size()
    return Case("masked_loss", shape.name, num_rows, 0, num_bytes, 6 * num_rows * weight.numel(), runs)


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


KERNELS: dict[str, Callable[[Place, Sizes, Shape], Makes]] = {
    "attention": attention_cases,
    "kv_commit": commit_cases,
    "unmask": unmask_cases,
    "masked_loss": loss_cases,
}
