"""Writing new keys and values into a pool and turning cached keys, in one launch: a program per row, all heads of it at once."""

from __future__ import annotations

from dataclasses import dataclass

import triton
import triton.language as tl
from torch import Tensor

from ..commit import Commit

TILE = 4096  # elements that a program holds of a key: one row of 32 heads of 128


@dataclass(frozen=True)
class Configuration:
    """Heads of one program, and warps."""

    heads: int
    warps: int


def configuration(num_heads: int, head: int) -> Configuration:
    """The shipped configuration for a number of key heads and a head size."""
    heads = min(triton.next_power_of_2(num_heads), max(1, TILE // triton.next_power_of_2(head)))
    return Configuration(heads, 4 if heads * head > 1024 else 2)


def kv_commit(k_pool: Tensor, v_pool: Tensor, k_new: Tensor, v_new: Tensor, commit: Commit) -> None:
    """See `palimpsest.kernels.ops.kv_commit`."""
    num_heads, head = k_pool.shape[1:]
    num_rows = len(commit.where) + len(commit.rows)
    if not num_rows:
        return
    chosen = configuration(num_heads, head)
    put[(num_rows, triton.cdiv(num_heads, chosen.heads))](
        k_pool,
        v_pool,
        k_new,
        v_new,
        commit.where,
        commit.rows,
        commit.turns,
        commit.cos,
        commit.sin,
        len(commit.where),
        *k_pool.stride()[:2],
        *v_pool.stride()[:2],
        *k_new.stride()[:2],
        *v_new.stride()[:2],
        HEADS=num_heads,
        HEAD=head,
        PAIRS=commit.cos.shape[1],
        DISTANCE=1 if commit.adjacent else commit.rotary_dim // 2,
        BLOCK_H=chosen.heads,
        BLOCK_D=triton.next_power_of_2(head),
        BLOCK_P=triton.next_power_of_2(max(1, commit.cos.shape[1])),
        num_warps=chosen.warps,
    )


@triton.jit
def put(
    k_pool: tl.tensor,  # [S, Hkv, D]
    v_pool: tl.tensor,
    k_new: tl.tensor,  # [M, Hkv, D]
    v_new: tl.tensor,
    where: tl.tensor,
    rows: tl.tensor,
    turns: tl.tensor,
    cos: tl.tensor,  # [shifts, PAIRS] fp32
    sin: tl.tensor,
    num_new: tl.tensor,
    k_row: tl.tensor,  # strides, in elements
    k_head: tl.tensor,
    v_row: tl.tensor,
    v_head: tl.tensor,
    k_new_row: tl.tensor,
    k_new_head: tl.tensor,
    v_new_row: tl.tensor,
    v_new_head: tl.tensor,
    HEADS: tl.constexpr,
    HEAD: tl.constexpr,
    PAIRS: tl.constexpr,
    DISTANCE: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_P: tl.constexpr,
) -> None:
    """The first `num_new` programs write a row each, the others turn a key each."""
    program = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1) * BLOCK_H + tl.arange(0, BLOCK_H)[:, None]
    if program < num_new:
        row = tl.load(where + program)
        key, value = k_new + program * k_new_row + head * k_new_head, v_new + program * v_new_row + head * v_new_head
        _copy(key, k_pool + row * k_row + head * k_head, head < HEADS, HEAD, BLOCK_D)
        _copy(value, v_pool + row * v_row + head * v_head, head < HEADS, HEAD, BLOCK_D)
    else:
        row = tl.load(rows + program - num_new)
        turn = tl.load(turns + program - num_new).to(tl.int64) * PAIRS
        p = tl.arange(0, BLOCK_P)[None, :]
        c = tl.load(cos + turn + p, mask=p < PAIRS, other=1.0)
        s = tl.load(sin + turn + p, mask=p < PAIRS, other=0.0)
        key = k_pool + row * k_row + head * k_head
        if DISTANCE == 1:
            _turn_adjacent(key, c, s, head < HEADS, PAIRS, BLOCK_H, BLOCK_P)
        else:
            _turn(key, c, s, (head < HEADS) & (p < PAIRS), DISTANCE, BLOCK_P)


@triton.jit
def _copy(source: tl.tensor, target: tl.tensor, is_head: tl.tensor, HEAD: tl.constexpr, BLOCK_D: tl.constexpr) -> None:
    d = tl.arange(0, BLOCK_D)[None, :]
    tl.store(target + d, tl.load(source + d, mask=is_head & (d < HEAD)), mask=is_head & (d < HEAD))


@triton.jit
def _turn(
    key: tl.tensor, c: tl.tensor, s: tl.tensor, is_inside: tl.tensor, DISTANCE: tl.constexpr, BLOCK_P: tl.constexpr
) -> None:
    p = tl.arange(0, BLOCK_P)[None, :]
    x = tl.load(key + p, mask=is_inside, other=0.0).to(tl.float32)
    y = tl.load(key + DISTANCE + p, mask=is_inside, other=0.0).to(tl.float32)
    tl.store(key + p, x * c - y * s, mask=is_inside)
    tl.store(key + DISTANCE + p, y * c + x * s, mask=is_inside)


@triton.jit
def _turn_adjacent(
    key: tl.tensor,
    c: tl.tensor,
    s: tl.tensor,
    is_head: tl.tensor,
    PAIRS: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_P: tl.constexpr,
) -> None:
    """Channels that turn together lie side by side: read as one stretch, taken apart here."""
    d = tl.arange(0, 2 * BLOCK_P)[None, :]
    pair = tl.load(key + d, mask=is_head & (d < 2 * PAIRS), other=0.0).to(tl.float32)
    x, y = tl.split(tl.reshape(pair, (BLOCK_H, BLOCK_P, 2)))
    turned = tl.reshape(tl.join(x * c - y * s, y * c + x * s), (BLOCK_H, 2 * BLOCK_P))
    tl.store(key + d, turned, mask=is_head & (d < 2 * PAIRS))
