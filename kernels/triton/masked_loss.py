"""Cross-entropy of masked rows with the logits of a part of the vocabulary at a time.

Liger (2410.10989) cuts the rows and makes every gradient in the forward pass. Here the vocabulary is cut instead: the gradient of a
part of the weight is then one whole product, which is never summed over chunks in half precision, and nothing but the sums of exp
of the masked rows is kept for the backward pass. The price, logits made twice, is paid for masked rows only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..words import Allowed, check_targets, inside_of

BLOCK = 1024  # logits that a program holds of a row
FEWEST = 1024  # words of a part


class Asked(NamedTuple):
    """What does not change: masked rows [N], their targets [N] int32, and the settings."""

    rows: Tensor
    target: Tensor
    allowed: Allowed | None
    softcap: float
    words: int  # of one part


def masked_loss(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    row_weight: Tensor | None,
    bias: Tensor | None,
    where: Tensor | None,
    allowed: Allowed | None,
    softcap: float,
) -> Tensor:
    """See `palimpsest.kernels.ops.masked_loss`."""
    rows = torch.arange(len(hidden), device=hidden.device) if where is None else where.nonzero()[:, 0]
    asked = Asked(rows, target[rows].int(), allowed, softcap, words_of(len(weight), hidden.shape[1]))
    loss: Tensor = _MaskedLoss.apply(hidden, weight, row_weight, bias, asked)
    return loss


def words_of(vocabulary: int, width: int) -> int:
    """Words of one part: about as many as hidden states are wide, so that its logits take no more room than they."""
    return min(max(FEWEST, triton.next_power_of_2(width)), triton.next_power_of_2(vocabulary))


class _MaskedLoss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: Tensor, weight: Tensor, row_weight: Tensor | None, bias: Tensor | None, asked: Asked
    ) -> Tensor:
        masked = hidden[asked.rows]
        state = torch.full(
            (3, len(masked)), -torch.inf, device=hidden.device
        )  # peak, log of the sum, logit of the target
        state[1] = 0
        for start, logits in _parts(masked, weight, asked):
            _fold_part(logits, start, state, bias, asked)
        total = state[0] + state[1].log()
        each = total - state[2]
        check_targets(each, asked.rows)
        ctx.save_for_backward(hidden, weight, row_weight, bias, total, each)
        ctx.asked = asked
        return (each if row_weight is None else each * row_weight[asked.rows]).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        hidden, weight, row_weight, bias, total, each = ctx.saved_tensors
        asked: Asked = ctx.asked
        rows, masked = asked.rows, hidden[asked.rows]
        scale = (grad if row_weight is None else grad * row_weight[rows]).expand(len(rows)).float().contiguous()
        wants_hidden, wants_weight, wants_row_weight, wants_bias = ctx.needs_input_grad[:4]
        to_hidden = torch.zeros(masked.shape, device=hidden.device) if wants_hidden else None
        new = (
            torch.empty_like if len(rows) else torch.zeros_like
        )  # every part is written, if there is a row to write it for
        to_weight = new(weight) if wants_weight else None
        to_bias = new(bias) if wants_bias else None
        for start, logits in _parts(masked, weight, asked) if wants_hidden or wants_weight or wants_bias else ():
            part = slice(start, start + logits.shape[1])
            slope = _slope_part(logits, start, total, scale, bias, asked, hidden.dtype)
            if to_hidden is not None:
                to_hidden += _product(slope, weight[part])
            if to_weight is not None:
                to_weight[part] = _product(slope.T, masked)
            if to_bias is not None:
                to_bias[part] = slope.sum(0, dtype=torch.float32)
        whole = None
        if to_hidden is not None:
            whole = torch.zeros_like(hidden).index_copy_(0, rows, to_hidden.to(hidden.dtype))
        to_rows = None
        if wants_row_weight:
            to_rows = torch.zeros_like(row_weight).index_copy_(0, rows, (grad * each).to(row_weight.dtype))
        return whole, to_weight, to_rows, to_bias, None


def _parts(masked: Tensor, weight: Tensor, asked: Asked) -> Iterator[tuple[int, Tensor]]:
    """(first word, products [N, words] fp32) of every part of the vocabulary, one at a time."""
    for start in range(0, len(weight), asked.words) if len(masked) else ():
        yield start, _product(masked, weight[start : start + asked.words].T)


def _product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b in fp32, whatever the type of both."""
    if a.dtype == torch.float32:
        return a @ b
    if a.is_cuda:
        return torch.mm(a, b, out_dtype=torch.float32)
    return a.float() @ b.float()


def _masks(asked: Asked, start: int, logits: Tensor) -> Tensor:
    """[N, words] bool: which words of this part each row may become; logits themselves stand in where all may."""
    if asked.allowed is None:
        return logits
    ids = torch.arange(start, start + logits.shape[1], device=logits.device)
    return inside_of(asked.allowed, ids)[asked.rows]


def _fold_part(logits: Tensor, start: int, state: Tensor, bias: Tensor | None, asked: Asked) -> None:
    settings = _settings(logits, bias, asked)
    inside = _masks(asked, start, logits)
    fold[(len(logits),)](
        logits,
        bias if bias is not None else logits,
        inside,
        asked.target,
        state,
        start,
        *logits.shape,
        asked.softcap,
        **settings,
    )


def _slope_part(
    logits: Tensor, start: int, total: Tensor, scale: Tensor, bias: Tensor | None, asked: Asked, dtype: torch.dtype
) -> Tensor:
    settings = _settings(logits, bias, asked)
    out = logits if dtype == torch.float32 else torch.empty_like(logits, dtype=dtype)
    inside = _masks(asked, start, logits)
    filler = bias if bias is not None else logits
    slope[(len(logits), triton.cdiv(logits.shape[1], BLOCK))](
        logits, filler, inside, asked.target, total, scale, out, start, logits.shape[1], asked.softcap, **settings
    )
    return out


def _settings(logits: Tensor, bias: Tensor | None, asked: Asked) -> dict[str, Any]:
    return {
        "HAS_BIAS": bias is not None,
        "HAS_SETS": asked.allowed is not None,
        "HAS_SOFTCAP": asked.softcap > 0,
        "BLOCK_V": BLOCK,
        "num_warps": 4,
    }


@triton.jit
def fold(
    logits: tl.tensor,  # [N, words] fp32
    bias: tl.tensor,  # [V]
    inside: tl.tensor,  # [N, words] bool
    target: tl.tensor,  # [N] int32
    state: tl.tensor,  # [3, N] fp32: peak, sum of exp beside it, logit of the target
    start: tl.tensor,
    num_rows: tl.tensor,
    num_words: tl.tensor,
    softcap: tl.tensor,
    HAS_BIAS: tl.constexpr,
    HAS_SETS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    BLOCK_V: tl.constexpr,
) -> None:
    """Take a part of the vocabulary into the running softmax of one row."""
    row = tl.program_id(0).to(tl.int64)
    wanted = tl.load(target + row) - start
    peak, total, hit = tl.load(state + row), tl.load(state + num_rows + row), tl.load(state + 2 * num_rows + row)
    for at in range(0, num_words, BLOCK_V):
        v = at + tl.arange(0, BLOCK_V)
        value, _ = _logits(logits, bias, inside, row, v, start, num_words, softcap, HAS_BIAS, HAS_SETS, HAS_SOFTCAP)
        higher = tl.maximum(peak, tl.max(value, 0))
        base = tl.where(higher == float("-inf"), 0.0, higher)
        total = total * tl.exp(peak - base) + tl.sum(tl.exp(value - base), 0)
        hit = tl.maximum(hit, tl.max(tl.where(v == wanted, value, float("-inf")), 0))
        peak = higher
    tl.store(state + row, peak)
    tl.store(state + num_rows + row, total)
    tl.store(state + 2 * num_rows + row, hit)


@triton.jit
def slope(
    logits: tl.tensor,
    bias: tl.tensor,
    inside: tl.tensor,
    target: tl.tensor,
    total: tl.tensor,  # [N] fp32, log of the sum of exp
    scale: tl.tensor,  # [N] fp32
    out: tl.tensor,  # [N, words], may be `logits`
    start: tl.tensor,
    num_words: tl.tensor,
    softcap: tl.tensor,
    HAS_BIAS: tl.constexpr,
    HAS_SETS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    BLOCK_V: tl.constexpr,
) -> None:
    """The slope of the loss by the product of hidden state and weight: scale * (softmax - target), through the cap."""
    row = tl.program_id(0).to(tl.int64)
    v = tl.program_id(1) * BLOCK_V + tl.arange(0, BLOCK_V)
    value, bend = _logits(logits, bias, inside, row, v, start, num_words, softcap, HAS_BIAS, HAS_SETS, HAS_SOFTCAP)
    probability = tl.exp(value - tl.load(total + row))
    slanted = tl.load(scale + row) * (probability - tl.where(v + start == tl.load(target + row), 1.0, 0.0)) * bend
    tl.store(out + row * num_words + v, slanted, mask=v < num_words)


@triton.jit
def _logits(
    logits: tl.tensor,
    bias: tl.tensor,
    inside: tl.tensor,
    row: tl.tensor,
    v: tl.tensor,
    start: tl.tensor,
    num_words: tl.tensor,
    softcap: tl.tensor,
    HAS_BIAS: tl.constexpr,
    HAS_SETS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor]:
    """Logits of a row, -inf where there is no word, and their derivative by the plain product."""
    is_word = v < num_words
    value = tl.load(logits + row * num_words + v, mask=is_word, other=0.0)
    bend = tl.full(value.shape, 1.0, tl.float32)
    if HAS_BIAS:
        value += tl.load(bias + start + v, mask=is_word, other=0.0).to(tl.float32)
    if HAS_SOFTCAP:
        bent = 1.0 - 2.0 / (tl.exp(value * (2.0 / softcap)) + 1.0)  # tanh
        value, bend = softcap * bent, 1.0 - bent * bent
    if HAS_SETS:
        is_word = is_word & (tl.load(inside + row * num_words + v, mask=is_word, other=0) != 0)
        bend = tl.where(is_word, bend, 0.0)
    return tl.where(is_word, value, float("-inf")), bend
