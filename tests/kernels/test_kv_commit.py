"""kv_commit: rows land where they are sent, turned keys equal keys made at the shifted position, the kernel equals its definition."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import Gemma3TextConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from palimpsest.kernels import ops
from palimpsest.kernels.commit import Commit
from palimpsest.kernels.reference.kv_commit import kv_commit as reference
from palimpsest.kernels.triton.kv_commit import kv_commit as kernel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Of values around 1; both round the same fp32 numbers once, so they differ by one step of the type at most.
TOLERANCE = {
    torch.float32: 1e-6,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}  # bf16 only on a GPU: the interpreter gets it wrong
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if DEVICE == "cuda" else [])]
SIZE = 40


def frequencies(num: int, base: float = 10_000.0) -> Tensor:
    return base ** -(torch.arange(num, dtype=torch.float64) / num).to(DEVICE)


def tensors(num_heads: int, head: int, num_new: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A pool of keys and of values, new keys and new values."""
    generator = torch.Generator().manual_seed(3)
    made = [torch.randn(n, num_heads, head, generator=generator) for n in (SIZE, SIZE, num_new, num_new)]
    k_pool, v_pool, k_new, v_new = (x.to(DEVICE, dtype) for x in made)
    return k_pool, v_pool, k_new, v_new


def rows(*numbers: int) -> Tensor:
    return torch.tensor(numbers, dtype=torch.int64, device=DEVICE)


def turned(key: Tensor, position: int, inverse_frequencies: Tensor, rotary_dim: int, adjacent: bool) -> Tensor:
    """Keys [..., D] at a position, in fp64 complex numbers: a definition that shares no code with the one under test."""
    num, key = len(inverse_frequencies), key.double().clone()
    half = key[..., 0:rotary_dim:2] if adjacent else key[..., : rotary_dim // 2]
    other = key[..., 1:rotary_dim:2] if adjacent else key[..., rotary_dim // 2 : rotary_dim]
    angle = position * inverse_frequencies.double()
    pair = torch.complex(half[..., :num], other[..., :num]) * torch.polar(torch.ones_like(angle), angle)
    half[..., :num], other[..., :num] = pair.real, pair.imag
    return key


LAYOUTS = {
    "full": (64, 32, None, False),
    "full 80": (80, 40, None, False),
    "partial": (96, 12, None, False),
    "proportional": (512, 64, 512, False),
    "full adjacent": (64, 32, None, True),
    "partial adjacent": (80, 20, None, True),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("num_heads", [1, 3, 12])
def test_the_kernel_is_the_definition(name: str, num_heads: int, dtype: torch.dtype) -> None:
    """Written and turned rows in one call, shifts both ways and none, heads that fill no tile and more than one."""
    head, num, rotary_dim, adjacent = LAYOUTS[name]
    k_pool, v_pool, k_new, v_new = tensors(num_heads, head, 3, dtype)
    commit = Commit.of(
        rows(7, 0, 39),
        rows=rows(1, 38, 8, 9),
        shift=torch.tensor([5, -700, 0, 5], device=DEVICE),
        inverse_frequencies=frequencies(num),
        rotary_dim=rotary_dim,
        adjacent=adjacent,
    )
    expected_k, expected_v = k_pool.clone(), v_pool.clone()
    reference(expected_k, expected_v, k_new, v_new, commit)
    kernel(k_pool, v_pool, k_new, v_new, commit)
    torch.testing.assert_close(k_pool, expected_k, rtol=0, atol=TOLERANCE[dtype])
    assert torch.equal(v_pool, expected_v)
    assert torch.equal(k_pool[[7, 0, 39]], k_new)
    assert torch.equal(v_pool[[7, 0, 39]], v_new)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_turned_key_is_the_key_made_at_the_new_position(name: str) -> None:
    """Cached at position 900, shifted by -650: the key at 250, within the rounding of fp32."""
    head, num, rotary_dim, adjacent = LAYOUTS[name]
    plain, values, *new = tensors(2, head, 0, torch.float32)
    how = (frequencies(num), rotary_dim or 2 * num, adjacent)
    pool, untouched = turned(plain, 900, *how).float(), values.clone()
    where = torch.arange(SIZE, device=DEVICE)
    commit = Commit.of(
        rows(), rows=where, shift=-650, inverse_frequencies=how[0], rotary_dim=rotary_dim, adjacent=adjacent
    )
    reference(pool, values, *new, commit)
    torch.testing.assert_close(pool.double(), turned(plain, 250, *how), rtol=0, atol=2e-6)
    assert torch.equal(values, untouched)


def test_a_proportional_rotary_is_given_as_transformers_gives_it() -> None:
    """The frequencies of a quarter of 256 channels, zeros after them: those channels stay, and only 32 pairs are read."""
    rope = {"rope_type": "proportional", "rope_theta": 10_000.0, "partial_rotary_factor": 0.25}
    config = Gemma3TextConfig(head_dim=256, rope_parameters={"full_attention": rope, "sliding_attention": rope})
    given, _ = ROPE_INIT_FUNCTIONS["proportional"](config, torch.device("cpu"), layer_type="full_attention")
    assert len(given) == 128
    commit = Commit.of(rows(), rows=rows(3), shift=11, inverse_frequencies=given.to(DEVICE))
    assert commit.cos.shape[1] == 32
    assert commit.rotary_dim == 256
    pool, values, *new = tensors(2, 256, 0, torch.float32)
    before = pool.clone()
    kernel(pool, values, *new, commit)
    torch.testing.assert_close(pool[3].double(), turned(before[3], 11, given.to(DEVICE), 256, False), rtol=0, atol=2e-6)
    assert torch.equal(pool[3, :, 32:128], before[3, :, 32:128])


@pytest.mark.parametrize("commit", [reference, kernel])
def test_only_the_named_rows_change_and_nan_elsewhere_stays_there(commit: Callable[..., None]) -> None:
    k_pool, v_pool, k_new, v_new = tensors(3, 80, 2, torch.float32)
    k_pool[5:], v_pool[3:] = torch.nan, torch.nan
    what = Commit.of(rows(4, 20), rows=rows(0, 2), shift=9, inverse_frequencies=frequencies(40))
    commit(k_pool, v_pool, k_new, v_new, what)
    assert torch.equal(k_pool.isfinite().all(-1).all(-1).nonzero().flatten(), rows(0, 1, 2, 3, 4, 20))
    assert torch.equal(v_pool.isfinite().all(-1).all(-1).nonzero().flatten(), rows(0, 1, 2, 4, 20))
    assert torch.equal(k_pool[[1, 3]], tensors(3, 80, 2, torch.float32)[0][[1, 3]])


@pytest.mark.parametrize("commit", [reference, kernel])
def test_nothing_to_do_changes_nothing(commit: Callable[..., None]) -> None:
    k_pool, v_pool, k_new, v_new = tensors(2, 32, 0, torch.float16)
    before = k_pool.clone(), v_pool.clone()
    commit(k_pool, v_pool, k_new, v_new, Commit.of(rows()))
    assert torch.equal(k_pool, before[0])
    assert torch.equal(v_pool, before[1])


def test_one_row_written_and_pools_that_lie_side_by_side() -> None:
    """Keys and values in one tensor, new state as slices of a fused projection: read and written by their strides."""
    k_pool, v_pool, k_new, v_new = tensors(2, 64, 1, torch.float32)
    pool, fused = torch.stack([k_pool, v_pool], 1), torch.cat([k_new, v_new], 1)
    what = Commit.of(rows(6), rows=rows(2), shift=4, inverse_frequencies=frequencies(32))
    kernel(pool[:, 0], pool[:, 1], fused[:, :2], fused[:, 2:], what)
    reference(k_pool, v_pool, k_new, v_new, what)
    torch.testing.assert_close(pool, torch.stack([k_pool, v_pool], 1), rtol=0, atol=TOLERANCE[torch.float32])


def test_same_bits_twice() -> None:
    what = Commit.of(rows(6), rows=rows(2, 3), shift=4, inverse_frequencies=frequencies(32))
    pools = []
    for _ in range(2):
        k_pool, v_pool, k_new, v_new = tensors(2, 64, 1, torch.float16)
        kernel(k_pool, v_pool, k_new, v_new, what)
        pools.append(k_pool)
    assert torch.equal(*pools)


def test_a_commit_says_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="pool row 5 is named twice; write or turn each row once"):
        Commit.of(rows(5, 2, 5))
    with pytest.raises(ValueError, match="pool row 2 is named twice"):
        Commit.of(rows(1, 2), rows=rows(2), shift=1, inverse_frequencies=frequencies(8))
    with pytest.raises(ValueError, match="pool row -1 is negative"):
        Commit.of(rows(3, -1))
    with pytest.raises(ValueError, match="1 rows are to turn at no frequencies"):
        Commit.of(rows(3), rows=rows(4))
    with pytest.raises(ValueError, match="8 frequencies want 16 channels, not 14"):
        Commit.of(rows(), rows=rows(4), shift=1, inverse_frequencies=frequencies(8), rotary_dim=14)


def test_the_door_takes_both_twins_and_says_what_does_not_fit() -> None:
    k_pool, v_pool, k_new, v_new = tensors(2, 64, 1, torch.float32)
    what = Commit.of(rows(6), rows=rows(2), shift=4, inverse_frequencies=frequencies(32))
    expected = k_pool.clone()
    with ops.prefer("reference"):
        ops.kv_commit(expected, v_pool.clone(), k_new, v_new, what)
    with ops.prefer("triton"):
        ops.kv_commit(k_pool, v_pool, k_new, v_new, what)
    torch.testing.assert_close(k_pool, expected, rtol=0, atol=TOLERANCE[torch.float32])
    with pytest.raises(ValueError, match="row 40 lies outside the pool of 40 rows; grow the pool first"):
        ops.kv_commit(k_pool, v_pool, k_new, v_new, Commit.of(rows(40)))
    with pytest.raises(ValueError, match="1 new rows have 2 places"):
        ops.kv_commit(k_pool, v_pool, k_new, v_new, Commit.of(rows(1, 2)))
    wide = Commit.of(rows(1), rows=rows(2), shift=1, inverse_frequencies=frequencies(33))
    with pytest.raises(ValueError, match="66 channels turn in heads of 64"):
        ops.kv_commit(k_pool, v_pool, k_new, v_new, wide)
    with pytest.raises(ValueError, match=r"v_new is torch\.float16"):
        ops.kv_commit(k_pool, v_pool, k_new, v_new.half(), what)
    with pytest.raises(ValueError, match="do not fit; give pools"):
        ops.kv_commit(k_pool, v_pool, k_new[:, :1], v_new[:, :1], what)
