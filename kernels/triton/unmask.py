"""The best word of each row: hidden rows x head weight, folded as it is made, so that logits never leave the chip.

The online softmax of Milakov and Gimelshein (1805.02867) over the vocabulary, split over programs as flash-decoding splits keys. Every
split is walked by all tiles of rows at about the same time, so that the weight is read from memory once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..words import Allowed, Unmasked, keys

LOG2E = tl.constexpr(1.4426950408889634)
PARTS = tl.constexpr(6)  # numbers of a part: peak, total, moment, second, pick, logit of the word picked
PROGRAMS_PER_PROCESSOR = 2
IDS = 128  # of a set, walked by one program
CHANNELS = 64  # of a tile in half precision
SMALL_SHARED = 128 << 10
REGISTERS = 255  # said aloud, as in attention


@dataclass(frozen=True)
class Configuration:
    """Rows, words and channels of a tile, warps, and stages of the pipeline over channels."""

    rows: int
    words: int
    channels: int
    warps: int
    stages: int


def configuration(rows: int, itemsize: int, shared: int, is_even: bool = True, is_plain: bool = True) -> Configuration:
    """The shipped configuration for a number of rows, bytes per element and bytes of shared memory that a program may use.

    `is_even`: the width is a multiple of the channels of a tile, as in every checkpoint we know; `is_plain`: no bias, cap or noise,
    which want registers of their own.
    """
    if itemsize == 4 or not is_even:
        return Configuration(16, 64, 32, 4, 2)
    height = 16 if rows <= 16 else 32 if rows <= 32 else 64 if rows <= 64 or shared < SMALL_SHARED else 128
    is_narrow = (height == 64 and shared < SMALL_SHARED) or (height == 128 and not is_plain)
    stages = 4 if shared >= SMALL_SHARED else 3 if shared > 64 << 10 else 2
    warps = 8 if height >= 64 and shared >= SMALL_SHARED else 4
    return Configuration(height, 64 if is_narrow else 128, CHANNELS, warps, stages)


class Parts(NamedTuple):
    """What each split found for each row: numbers [splits, rows, 6] fp32 and the word picked [splits, rows] int32."""

    numbers: Tensor
    token: Tensor

    @classmethod
    def empty(cls, splits: int, rows: int, device: torch.device) -> Parts:
        return cls(
            torch.empty(splits, rows, PARTS.value, dtype=torch.float32, device=device),
            torch.empty(splits, rows, dtype=torch.int32, device=device),
        )


def unmask(
    hidden: Tensor,
    weight: Tensor,
    places: Tensor,
    *,
    bias: Tensor | None,
    allowed: Allowed | None,
    temperature: float,
    seed: int,
    softcap: float,
    programs: int | None = None,
) -> Unmasked:
    """See `palimpsest.kernels.ops.unmask`; `hidden` [R, C] are the rows that `places` [R] are read off. `programs` overrides how many
    programs the vocabulary is split over.
    """
    hidden, weight = hidden.contiguous(), weight if weight.stride(1) == 1 else weight.contiguous()
    count, device = len(hidden), hidden.device
    token = torch.empty(count, dtype=torch.int64, device=device)
    figures = torch.empty(3, count, dtype=torch.float32, device=device)
    shape = {"HAS_BIAS": bias is not None, "HAS_SOFTCAP": softcap > 0, "IS_SAMPLED": temperature > 0}
    numbers = (temperature, softcap)
    noise = keys(seed, places).to(torch.int32)  # the kernel takes the bits for an unsigned number
    filler = hidden if bias is None else bias
    every = torch.arange(count, device=device)
    free = every if allowed is None else allowed.free_rows
    if len(free):
        parts = _scan(hidden, weight, filler, noise, free, numbers, shape, programs)
        _merge(parts, free, token, figures)
    if allowed is not None and len(allowed.bound_rows):
        parts = _gather(hidden, weight, filler, noise, allowed, numbers, shape)
        _merge(parts, allowed.bound_rows, token, figures)
    return Unmasked(token, *figures)


def _scan(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    noise: Tensor,
    rows: Tensor,
    numbers: tuple[float, float],
    shape: dict[str, bool],
    programs: int | None,
) -> Parts:
    shared, processors = _limits(hidden.device)
    chosen = configuration(
        len(rows), hidden.element_size(), shared, hidden.shape[1] % CHANNELS == 0, not any(shape.values())
    )
    row_tiles, word_tiles = triton.cdiv(len(rows), chosen.rows), triton.cdiv(len(weight), chosen.words)
    wanted = max(1, (programs or PROGRAMS_PER_PROCESSOR * processors) // row_tiles)
    per_split = triton.cdiv(word_tiles, min(wanted, word_tiles))
    splits = triton.cdiv(word_tiles, per_split)
    parts = Parts.empty(splits, len(rows), hidden.device)
    scan[(row_tiles, splits)](
        hidden,
        weight,
        bias,
        noise,
        rows,
        *parts,
        len(rows),
        len(weight),
        hidden.shape[1],
        hidden.stride(0),
        weight.stride(0),
        per_split * chosen.words,
        *numbers,
        BLOCK_M=chosen.rows,
        BLOCK_V=chosen.words,
        BLOCK_C=chosen.channels,
        IS_EVEN=hidden.shape[1] % chosen.channels == 0,
        num_warps=chosen.warps,
        num_stages=chosen.stages,
        maxnreg=REGISTERS,
        **shape,
    )
    return parts


def _gather(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor,
    noise: Tensor,
    allowed: Allowed,
    numbers: tuple[float, float],
    shape: dict[str, bool],
) -> Parts:
    rows, splits = allowed.bound_rows, max(1, triton.cdiv(allowed.longest, IDS))
    parts = Parts.empty(splits, len(rows), hidden.device)
    gather[(len(rows), splits)](
        hidden,
        weight,
        bias,
        noise,
        rows,
        allowed.offsets,
        allowed.ids,
        *parts,
        hidden.shape[1],
        hidden.stride(0),
        weight.stride(0),
        *numbers,
        BLOCK_I=IDS,
        BLOCK_C=32,
        num_warps=4,
        **shape,
    )
    return parts


def _merge(parts: Parts, rows: Tensor, token: Tensor, figures: Tensor) -> None:
    size = {"BLOCK_R": 16}
    splits, count = parts.token.shape
    merge[(triton.cdiv(count, 16),)](*parts, rows, token, figures, figures.shape[1], count, splits, **size, num_warps=1)


@cache
def _limits(device: torch.device) -> tuple[int, int]:
    """Bytes of shared memory that a program may use, and the number of processors; in the interpreter those of a small GPU."""
    if device.type != "cuda":
        return 96 << 10, 1
    found = triton.runtime.driver.active.utils.get_device_properties(device.index or 0)
    return found["max_shared_mem"], found["multiprocessor_count"]


@triton.jit
def scan(
    hidden: tl.tensor,  # [T, C]
    weight: tl.tensor,  # [V, C]
    bias: tl.tensor,  # [V]
    noise: tl.tensor,  # [T] int32
    rows: tl.tensor,  # [N] int64
    part: tl.tensor,  # [splits, N, PARTS] fp32
    part_token: tl.tensor,  # [splits, N] int32
    num_rows: tl.tensor,
    num_words: tl.tensor,
    width: tl.tensor,
    hidden_row: tl.tensor,  # strides, in elements
    weight_row: tl.tensor,
    per_split: tl.tensor,
    temperature: tl.tensor,
    softcap: tl.tensor,
    BLOCK_M: tl.constexpr,
    BLOCK_V: tl.constexpr,
    BLOCK_C: tl.constexpr,
    IS_EVEN: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    IS_SAMPLED: tl.constexpr,
) -> None:
    """A tile of rows against one split of the vocabulary."""
    m = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    is_row = m < num_rows
    row = tl.load(rows + m, mask=is_row, other=0)
    key = tl.load(noise + row, mask=is_row, other=0).to(tl.uint32, bitcast=True)
    c = tl.arange(0, BLOCK_C)
    first = tl.program_id(1) * per_split
    end = tl.minimum(first + per_split, num_words)
    hidden_at = hidden + row[:, None] * hidden_row + c[None, :]
    peak = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    moment = tl.zeros([BLOCK_M], tl.float32)
    second = tl.full([BLOCK_M], float("-inf"), tl.float32)
    pick = tl.full([BLOCK_M], float("-inf"), tl.float32)
    picked = tl.full([BLOCK_M], float("-inf"), tl.float32)
    token = tl.full([BLOCK_M], -1, tl.int32)
    for start in range(first, end, BLOCK_V):
        word = start + tl.arange(0, BLOCK_V)
        is_word = word < num_words
        weight_at = weight + word[:, None].to(tl.int64) * weight_row + c[None, :]
        logits = tl.zeros([BLOCK_M, BLOCK_V], tl.float32)
        for at in range(0, width, BLOCK_C):
            if IS_EVEN:
                h = tl.load(hidden_at + at, mask=is_row[:, None], other=0.0)
                w = tl.load(weight_at + at, mask=is_word[:, None], other=0.0)
            else:
                inside = c[None, :] < width - at
                h = tl.load(hidden_at + at, mask=is_row[:, None] & inside, other=0.0)
                w = tl.load(weight_at + at, mask=is_word[:, None] & inside, other=0.0)
            logits = tl.dot(h, tl.trans(w), logits, input_precision="ieee")
        if HAS_BIAS:
            logits += tl.load(bias + word, mask=is_word, other=0.0).to(tl.float32)[None, :]
        if HAS_SOFTCAP:
            logits = _capped(logits, softcap)
        logits = tl.where(is_word[None, :], logits, float("-inf"))
        score = logits
        if IS_SAMPLED:
            score = logits / temperature + _gumbel(key[:, None], word[None, :])
        peak, total, moment, second, pick, picked, token = _fold(
            logits, score, word, peak, total, moment, second, pick, picked, token
        )
    at = tl.program_id(1).to(tl.int64) * num_rows + m
    _put(part + at * PARTS, part_token + at, is_row, peak, total, moment, second, pick, picked, token)


@triton.jit
def gather(
    hidden: tl.tensor,
    weight: tl.tensor,
    bias: tl.tensor,
    noise: tl.tensor,
    rows: tl.tensor,
    offsets: tl.tensor,  # [R + 1] int32
    ids: tl.tensor,  # int32
    part: tl.tensor,
    part_token: tl.tensor,
    width: tl.tensor,
    hidden_row: tl.tensor,
    weight_row: tl.tensor,
    temperature: tl.tensor,
    softcap: tl.tensor,
    BLOCK_I: tl.constexpr,
    BLOCK_C: tl.constexpr,
    HAS_BIAS: tl.constexpr,
    HAS_SOFTCAP: tl.constexpr,
    IS_SAMPLED: tl.constexpr,
) -> None:
    """One row against a stretch of its own set: only the weight of those words is read."""
    n = tl.program_id(0)
    row = tl.load(rows + n)
    key = tl.load(noise + row).to(tl.uint32, bitcast=True)
    start = tl.load(offsets + row) + tl.program_id(1) * BLOCK_I
    at = start + tl.arange(0, BLOCK_I)
    is_word = at < tl.load(offsets + row + 1)
    word = tl.load(ids + at, mask=is_word, other=0)
    c = tl.arange(0, BLOCK_C)
    sums = tl.zeros([BLOCK_I], tl.float32)
    for channel in range(0, width, BLOCK_C):
        inside = c < width - channel
        h = tl.load(hidden + row * hidden_row + channel + c, mask=inside, other=0.0).to(tl.float32)
        weight_at = weight + word[:, None].to(tl.int64) * weight_row + channel + c[None, :]
        w = tl.load(weight_at, mask=is_word[:, None] & inside[None, :], other=0.0).to(tl.float32)
        sums += tl.sum(w * h[None, :], 1)
    if HAS_BIAS:
        sums += tl.load(bias + word, mask=is_word, other=0.0).to(tl.float32)
    if HAS_SOFTCAP:
        sums = _capped(sums, softcap)
    logits = tl.where(is_word, sums, float("-inf"))[None, :]
    score = logits
    if IS_SAMPLED:
        score = logits / temperature + _gumbel(key, word)[None, :]
    nothing = tl.full([1], float("-inf"), tl.float32)
    zero = tl.zeros([1], tl.float32)
    peak, total, moment, second, pick, picked, token = _fold(
        logits, score, word, nothing, zero, zero, nothing, nothing, nothing, tl.full([1], -1, tl.int32)
    )
    place = tl.program_id(1).to(tl.int64) * tl.num_programs(0) + n + tl.zeros([1], tl.int64)
    is_row = place >= 0
    _put(part + place * PARTS, part_token + place, is_row, peak, total, moment, second, pick, picked, token)


@triton.jit
def merge(
    part: tl.tensor,
    part_token: tl.tensor,
    rows: tl.tensor,
    token: tl.tensor,  # [R] int64
    figures: tl.tensor,  # [3, R] fp32
    size: tl.tensor,
    num_rows: tl.tensor,
    splits: tl.tensor,
    BLOCK_R: tl.constexpr,
) -> None:
    """The splits of BLOCK_R rows taken together, always in their order, and what they tell."""
    n = tl.program_id(0).to(tl.int64) * BLOCK_R + tl.arange(0, BLOCK_R)
    is_row = n < num_rows
    peak = tl.full([BLOCK_R], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_R], tl.float32)
    moment = tl.zeros([BLOCK_R], tl.float32)
    second = tl.full([BLOCK_R], float("-inf"), tl.float32)
    pick = tl.full([BLOCK_R], float("-inf"), tl.float32)
    picked = tl.full([BLOCK_R], float("-inf"), tl.float32)
    best = tl.full([BLOCK_R], -1, tl.int32)
    for split in range(splits):
        at = n + split * num_rows
        numbers = part + at * PARTS
        its_peak = tl.load(numbers, mask=is_row, other=float("-inf"))
        its_second = tl.load(numbers + 3, mask=is_row, other=float("-inf"))
        its_pick = tl.load(numbers + 4, mask=is_row, other=float("-inf"))
        higher = tl.maximum(peak, its_peak)
        base = tl.where(higher == float("-inf"), 0.0, higher)
        fade, its_fade = tl.exp(peak - base), tl.exp(its_peak - base)
        total = total * fade + tl.load(numbers + 1, mask=is_row, other=0.0) * its_fade
        moment = moment * fade + tl.load(numbers + 2, mask=is_row, other=0.0) * its_fade
        second = tl.maximum(tl.minimum(peak, its_peak), tl.maximum(second, its_second))
        is_better = its_pick > pick
        picked = tl.where(is_better, tl.load(numbers + 5, mask=is_row, other=0.0), picked)
        best = tl.where(is_better, tl.load(part_token + at, mask=is_row, other=-1), best)
        pick = tl.where(is_better, its_pick, pick)
        peak = higher
    is_possible = best >= 0
    total = tl.where(is_possible, total, 1.0)
    norm = tl.where(is_possible, peak, 0.0) + tl.log(total)
    prob = tl.where(is_possible, tl.exp(picked - norm), 0.0)
    entropy = tl.where(is_possible, tl.maximum(norm - moment / total, 0.0), 0.0)
    margin = tl.where(is_possible, tl.exp(peak - norm) - tl.exp(second - norm), 0.0)
    row = tl.load(rows + n, mask=is_row, other=0)
    tl.store(token + row, best.to(tl.int64), mask=is_row)
    tl.store(figures + row, prob, mask=is_row)
    tl.store(figures + size + row, entropy, mask=is_row)
    tl.store(figures + 2 * size + row, margin, mask=is_row)


@triton.jit
def _capped(logits: tl.tensor, softcap: tl.tensor) -> tl.tensor:
    """softcap * tanh(logits / softcap)."""
    return softcap * (1.0 - 2.0 / (tl.exp2(logits * (2.0 * LOG2E / softcap)) + 1.0))


@triton.jit
def _gumbel(key: tl.tensor, word: tl.tensor) -> tl.tensor:
    """The twin of `words.gumbel`, from a row's key."""
    x = key ^ word.to(tl.uint32)
    x = x + 0x9E3779B9
    x = (x ^ (x >> 16)) * 0x85EBCA6B
    x = (x ^ (x >> 13)) * 0xC2B2AE35
    x = x ^ (x >> 16)
    uniform = ((x >> 8).to(tl.float32) + 0.5) * 5.9604644775390625e-08  # 2 ** -24
    return -tl.log(-tl.log(uniform))


@triton.jit
def _fold(
    logits: tl.tensor,  # [M, V], -inf where there is no word
    score: tl.tensor,
    word: tl.tensor,  # [V]
    peak: tl.tensor,
    total: tl.tensor,
    moment: tl.tensor,
    second: tl.tensor,
    pick: tl.tensor,
    picked: tl.tensor,
    token: tl.tensor,
) -> tuple[tl.tensor, tl.tensor, tl.tensor, tl.tensor, tl.tensor, tl.tensor, tl.tensor]:
    """Take one tile into what is known; of equal scores the first in this tile, and the tile before it, stay."""
    column = tl.arange(0, logits.shape[1])[None, :]
    best, best_at = tl.max(logits, 1, return_indices=True)
    runner_up = tl.max(tl.where(column == best_at[:, None], float("-inf"), logits), 1)
    higher = tl.maximum(peak, best)
    base = tl.where(higher == float("-inf"), 0.0, higher)
    power = tl.exp2((logits - base[:, None]) * LOG2E)
    fade = tl.exp2((peak - base) * LOG2E)
    total = total * fade + tl.sum(power, 1)
    moment = moment * fade + tl.sum(tl.where(power > 0, logits, 0.0) * power, 1)
    second = tl.maximum(tl.minimum(peak, best), tl.maximum(second, runner_up))
    its_pick, its_at = tl.max(score, 1, return_indices=True)
    is_here = column == its_at[:, None]
    is_better = its_pick > pick
    picked = tl.where(is_better, tl.max(tl.where(is_here, logits, float("-inf")), 1), picked)
    token = tl.where(is_better, tl.max(tl.where(is_here, word[None, :], -1), 1), token)
    return higher, total, moment, second, tl.where(is_better, its_pick, pick), picked, token


@triton.jit
def _put(
    part: tl.tensor,
    part_token: tl.tensor,
    is_row: tl.tensor,
    peak: tl.tensor,
    total: tl.tensor,
    moment: tl.tensor,
    second: tl.tensor,
    pick: tl.tensor,
    picked: tl.tensor,
    token: tl.tensor,
) -> None:
    tl.store(part, peak, mask=is_row)
    tl.store(part + 1, total, mask=is_row)
    tl.store(part + 2, moment, mask=is_row)
    tl.store(part + 3, second, mask=is_row)
    tl.store(part + 4, pick, mask=is_row)
    tl.store(part + 5, picked, mask=is_row)
    tl.store(part_token, token, mask=is_row)
