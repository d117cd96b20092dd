"""Attention of ragged live rows over pooled keys and values: keys split over programs, parts merged (flash-decoding).

Dao et al., "Flash-Decoding for long-context inference" (2023), for the split; FlexAttention (2412.05496) for leaving
out what a rule hides. One program reads a stretch of keys once for all query heads that share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..visibility import Layout, Visibility
from .plan import Grain, Plan, plan

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)
EVIDENCE = tl.constexpr(int(Visibility.EVIDENCE))
BLOCK_CAUSAL = tl.constexpr(int(Visibility.BLOCK_CAUSAL))
QUESTION_ROLE = tl.constexpr(0)
DRAFT_ROLE = tl.constexpr(1)
SMALL_SHARED = 96 << 10  # bytes a program may use; less (gfx942: 64 KiB) wants smaller tiles
HOPPER_SHARED = 200 << 10  # from Hopper on (227 KiB), products read shared memory and leave registers for larger tiles
PROGRAMS_PER_PROCESSOR = 2
REGISTERS = 255  # said aloud: left to itself, the assembler spills a few to fit one program more on a processor


@dataclass(frozen=True)
class Configuration:
    """Tile sizes of one launch: packed query rows and keys, warps, and stages of the pipeline over keys."""

    rows: int
    keys: int
    warps: int
    stages: int


def configuration(head: int, itemsize: int, packed: int, shared: int) -> Configuration:
    """The shipped configuration for a head size (a power of two), bytes per element, packed rows of the largest canvas
    (query rows x query heads per key head) and bytes of shared memory that a program may use."""
    if itemsize == 4:
        is_wide = head > 64 and not (head > 256 and shared < SMALL_SHARED)
        return Configuration(16, 32 if head <= 64 else 16, 8 if is_wide else 4, 1)
    if shared < SMALL_SHARED:
        rows = 16 if packed <= 16 else 32 if head > 256 else 64
        return Configuration(rows, 32 if rows == 16 and head <= 256 else 16, 4 if head <= 128 else 8, 1)
    if head > 128:
        return Configuration(16 if packed <= 16 else 32 if head > 256 else 64, 32, 8, 2)
    rows = 16 if packed <= 16 else 64 if packed <= 64 else 128
    keys = 32 if head > 64 and shared < HOPPER_SHARED else 64
    return Configuration(rows, keys, 8 if rows == 128 else 4, 3)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    layout: Layout,
    scale: float | None = None,
    softcap: float = 0.0,
    lse: Tensor | None = None,
    programs: int | None = None,
) -> Tensor:
    """See `palimpsest.kernels.ops.attention`; `programs` overrides how many programs the keys are split over."""
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    total = torch.empty(q.shape[:2], dtype=torch.float32, device=q.device) if lse is None else lse
    if not len(q):
        return out
    group = q.shape[1] // k.shape[1]
    shared, processors = _limits(q.device)
    chosen = configuration(block_of(q), q.element_size(), layout.most_rows * group, shared)
    wanted = (programs or PROGRAMS_PER_PROCESSOR * processors) // k.shape[1]
    work = plan(layout, Grain(group, chosen.rows, chosen.keys, wanted))
    _launch(q, k, v, out, total, layout, work, chosen, q.shape[2] ** -0.5 if scale is None else scale, softcap)
    return out


def block_of(q: Tensor) -> int:
    """The head size as the kernel sees it: the next power of two, at least the 16 that a matrix instruction wants."""
    return max(16, triton.next_power_of_2(q.shape[2]))


@cache
def _limits(device: torch.device) -> tuple[int, int]:
    """Bytes of shared memory that a program may use, and the number of processors; in the interpreter those of a small GPU."""
    if device.type != "cuda":
        return SMALL_SHARED, 1
    found = triton.runtime.driver.active.utils.get_device_properties(device.index or 0)
    return found["max_shared_mem"], found["multiprocessor_count"]


def _launch(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    out: Tensor,
    total: Tensor,
    layout: Layout,
    work: Plan,
    chosen: Configuration,
    scale: float,
    softcap: float,
) -> None:
    heads, group, head = k.shape[1], q.shape[1] // k.shape[1], q.shape[2]
    slots = len(work.items) if work.is_split else 0
    part = torch.empty(slots, heads, chosen.rows, head, dtype=torch.float32, device=q.device)
    part_total = torch.empty(slots, heads, chosen.rows, dtype=torch.float32, device=q.device)
    block = block_of(q)
    attend[(heads, len(work.items))](
        q,
        k,
        v,
        part if work.is_split else out,
        part_total if work.is_split else total,
        work.items,
        work.key_tiles,
        *layout.rows,
        *layout.keys,
        *q.stride()[:2],
        *k.stride()[:2],
        *v.stride()[:2],
        scale,
        softcap,
        layout.window,
        GROUP=group,
        HEAD=head,
        BLOCK_M=chosen.rows,
        BLOCK_N=chosen.keys,
        BLOCK_D=block,
        RULE=int(layout.visibility),
        HAS_WINDOW=layout.window > 0,
        HAS_SOFTCAP=softcap > 0,
        IS_SPLIT=work.is_split,
        num_warps=chosen.warps,
        num_stages=chosen.stages,
        maxnreg=REGISTERS,
    )
    if work.is_split:
        grid = (heads, len(work.query_tiles), chosen.rows // 16)
        sizes = {"GROUP": group, "HEAD": head, "BLOCK_M": chosen.rows, "BLOCK_R": 16, "BLOCK_D": block}
        merge[grid](part, part_total, out, total, work.query_tiles, **sizes, num_warps=4)


@triton.jit
def attend(
    q: tl.tensor,  # [N, Hq, D]
    k: tl.tensor,  # [S, Hkv, D]
    v: tl.tensor,  # [S, Hkv, D]
    out: tl.tensor,  # [N, Hq, D], or parts [slots, Hkv, BLOCK_M, D] fp32
    total: tl.tensor,  # [N, Hq] fp32, or [slots, Hkv, BLOCK_M]
    items: tl.tensor,
    key_tiles: tl.tensor,
    q_role: tl.tensor,
    q_block: tl.tensor,
    q_position: tl.tensor,
    k_role: tl.tensor,
    k_block: tl.tensor,
    k_position: tl.tensor,
    q_row: tl.tensor,  # strides, in elements
    q_head: tl.tensor,
    k_row: tl.tensor,
    k_head: tl.tensor,
    v_row: tl.tensor,
    v_head: tl.tensor,
    scale: tl.tensor,
    softcap: tl.tensor,
    window: tl.tensor,
    GROUP: tl.constexpr,
    HEAD: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    RULE: tl.constexpr,
    HAS_WINDOW: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    IS_SPLIT: tl.constexpr,
) -> None:
    """One item of the plan for one key head: a tile of packed query rows against a run of its key tiles."""
    kv_head, num_heads = tl.program_id(0), tl.num_programs(0)
    item = items + tl.program_id(1) * 7
    first_row, num_packed, packed = tl.load(item), tl.load(item + 1), tl.load(item + 2)
    first, partial, end, slot = tl.load(item + 3), tl.load(item + 4), tl.load(item + 5), tl.load(item + 6)
    m = packed + tl.arange(0, BLOCK_M)
    d = tl.arange(0, BLOCK_D)
    n = tl.arange(0, BLOCK_N)
    is_row, in_head = m < num_packed, d < HEAD
    row = (first_row + m // GROUP).to(tl.int64)
    query_head = kv_head * GROUP + m % GROUP
    q_at = q + row[:, None] * q_row + query_head[:, None] * q_head + d[None, :]
    query = tl.load(q_at, mask=is_row[:, None] & in_head[None, :], other=0.0)
    role = tl.load(q_role + row, mask=is_row, other=0)
    block = tl.load(q_block + row, mask=is_row, other=-1)
    position = tl.load(q_position + row, mask=is_row, other=0)
    k_at = k + kv_head * k_head + n[:, None].to(tl.int64) * k_row + d[None, :]
    v_at = v + kv_head * v_head + n[:, None].to(tl.int64) * v_row + d[None, :]
    best = tl.full([BLOCK_M], float("-inf"), tl.float32)
    weight = tl.zeros([BLOCK_M], tl.float32)
    mixed = tl.zeros([BLOCK_M, BLOCK_D], tl.float32)
    start, length = tl.load(key_tiles + 2 * first).to(tl.int64), tl.load(key_tiles + 2 * first + 1)
    for tile in range(first, partial):
        if HEAD == BLOCK_D:
            key = tl.load(k_at + start * k_row)
            value = tl.load(v_at + start * v_row)
        else:
            key = tl.load(k_at + start * k_row, mask=in_head[None, :], other=0.0)
            value = tl.load(v_at + start * v_row, mask=in_head[None, :], other=0.0)
        score = _score(query, key, scale, softcap, HAS_SOFTCAP)
        best, weight, mixed = _fold(score, value, best, weight, mixed)
        start = tl.load(key_tiles + 2 * tile + 2).to(tl.int64)
    length = tl.load(key_tiles + 2 * partial + 1)
    for tile in range(partial, end):
        inside = n < length
        key_role = tl.load(k_role + start + n, mask=inside, other=0)
        key_block = tl.load(k_block + start + n, mask=inside, other=0)
        key_position = tl.load(k_position + start + n, mask=inside, other=0)
        seen = (
            _seen(role, block, position, key_role, key_block, key_position, window, RULE, HAS_WINDOW) & inside[None, :]
        )
        key = tl.load(k_at + start * k_row, mask=inside[:, None] & in_head[None, :], other=0.0)
        value = tl.load(v_at + start * v_row, mask=inside[:, None] & in_head[None, :], other=0.0)
        score = tl.where(seen, _score(query, key, scale, softcap, HAS_SOFTCAP), float("-inf"))
        best, weight, mixed = _fold(score, value, best, weight, mixed)
        start, length = tl.load(key_tiles + 2 * tile + 2).to(tl.int64), tl.load(key_tiles + 2 * tile + 3)
    divisor = tl.where(weight > 0, weight, 1.0)
    mixed = mixed / divisor[:, None]
    sum_exp = (best + tl.log2(divisor)) * LN2
    if IS_SPLIT:
        part = (slot.to(tl.int64) * num_heads + kv_head) * BLOCK_M + tl.arange(0, BLOCK_M)
        tl.store(out + part[:, None] * HEAD + d[None, :], mixed, mask=in_head[None, :])
        tl.store(total + part, sum_exp)
    else:
        place = row * (num_heads * GROUP) + query_head
        tl.store(out + place[:, None] * HEAD + d[None, :], mixed, mask=is_row[:, None] & in_head[None, :])
        tl.store(total + place, sum_exp, mask=is_row)


@triton.jit
def _score(
    query: tl.tensor, key: tl.tensor, scale: tl.tensor, softcap: tl.tensor, HAS_SOFTCAP: tl.constexpr
) -> tl.tensor:
    """Scaled and capped scores in units of log 2, [BLOCK_M, BLOCK_N] fp32."""
    score = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
    if HAS_SOFTCAP:
        score = softcap * (
            1.0 - 2.0 / (tl.exp2(score * (2.0 * LOG2E / softcap)) + 1.0)
        )  # softcap * tanh(score / softcap)
    return score * LOG2E


@triton.jit
def _seen(
    q_role: tl.tensor,
    q_block: tl.tensor,
    q_position: tl.tensor,
    k_role: tl.tensor,
    k_block: tl.tensor,
    k_position: tl.tensor,
    window: tl.tensor,
    RULE: tl.constexpr,
    HAS_WINDOW: tl.constexpr,
) -> tl.tensor:
    """The twin of `visibility.visible` for keys that are not dead, [BLOCK_M, BLOCK_N] or, to be spread, [BLOCK_M, 1]."""
    seen = (q_block >= 0)[:, None]
    if RULE == EVIDENCE:
        own = q_block[:, None] == k_block[None, :]
        seen = seen & (own | (k_role == QUESTION_ROLE)[None, :] | (q_role == DRAFT_ROLE)[:, None])
    if RULE == BLOCK_CAUSAL:
        seen = seen & (k_block[None, :] <= q_block[:, None])
    if HAS_WINDOW:
        seen = seen & (tl.abs(q_position[:, None] - k_position[None, :]) < window)
    return seen


@triton.jit
def _fold(
    score: tl.tensor, value: tl.tensor, best: tl.tensor, weight: tl.tensor, mixed: tl.tensor
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    """Take one tile into the running softmax (Milakov and Gimelshein, 1805.02867)."""
    higher = tl.maximum(best, tl.max(score, 1))
    base = tl.where(higher == float("-inf"), 0.0, higher)  # a row that has seen nothing yet
    power = tl.exp2(score - base[:, None])
    fade = tl.exp2(best - base)
    mixed = tl.dot(power.to(value.dtype), value, mixed * fade[:, None], input_precision="ieee")
    return higher, weight * fade + tl.sum(power, 1), mixed


@triton.jit
def merge(
    part: tl.tensor,  # [slots, Hkv, BLOCK_M, D] fp32
    part_total: tl.tensor,  # [slots, Hkv, BLOCK_M] fp32
    out: tl.tensor,  # [N, Hq, D]
    total: tl.tensor,  # [N, Hq] fp32
    query_tiles: tl.tensor,
    GROUP: tl.constexpr,
    HEAD: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_D: tl.constexpr,
) -> None:
    """Weigh the parts of BLOCK_R packed rows of one query tile by their sums; always in the order of the slots."""
    kv_head, num_heads = tl.program_id(0), tl.num_programs(0)
    tile = query_tiles + tl.program_id(1) * 5
    first_row, num_packed, packed = tl.load(tile), tl.load(tile + 1), tl.load(tile + 2)
    slot, num_slots = tl.load(tile + 3).to(tl.int64), tl.load(tile + 4)
    r = tl.program_id(2) * BLOCK_R + tl.arange(0, BLOCK_R)
    d = tl.arange(0, BLOCK_D)
    m = packed + r
    is_row, in_head = m < num_packed, d < HEAD
    best = tl.full([BLOCK_R], float("-inf"), tl.float32)
    weight = tl.zeros([BLOCK_R], tl.float32)
    mixed = tl.zeros([BLOCK_R, BLOCK_D], tl.float32)
    for n in range(num_slots):
        at = ((slot + n) * num_heads + kv_head) * BLOCK_M + r
        sum_exp = tl.load(part_total + at)
        value = tl.load(part + at[:, None] * HEAD + d[None, :], mask=in_head[None, :], other=0.0)
        higher = tl.maximum(best, sum_exp)
        base = tl.where(higher == float("-inf"), 0.0, higher)
        fade, power = tl.exp(best - base), tl.exp(sum_exp - base)
        mixed = mixed * fade[:, None] + value * power[:, None]
        weight = weight * fade + power
        best = higher
    place = (first_row + m // GROUP).to(tl.int64) * (num_heads * GROUP) + kv_head * GROUP + m % GROUP
    divisor = tl.where(weight > 0, weight, 1.0)
    tl.store(
        out + place[:, None] * HEAD + d[None, :], mixed / divisor[:, None], mask=is_row[:, None] & in_head[None, :]
    )
    tl.store(total + place, best + tl.log(divisor), mask=is_row)
