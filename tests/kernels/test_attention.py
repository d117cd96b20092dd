"""Attention over pooled keys: the kernel equals its definition at every rule, size and split, and the definition equals torch's own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from palimpsest.kernels import ops
from palimpsest.kernels.reference.attention import attention as reference
from palimpsest.kernels.triton.attention import attention as kernel
from palimpsest.kernels.triton.plan import Grain, plan
from palimpsest.kernels.visibility import DEAD, Layout, Marks, Role, Visibility, pool_rows, visible

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TOLERANCE = {
    torch.float32: 2e-5,
    torch.float16: 4e-3,
    torch.bfloat16: 3e-2,
}  # bf16 only on a GPU: the interpreter gets it wrong
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if DEVICE == "cuda" else [])]
SIZE = 300
SHARED = [[(0, 70), (130, 90)], [(0, 70), (237, 1), (240, 41)], [(5, 7)], []]  # stretches 0:70 belong to two canvases
ROWS = [5, 1, 0, 2]


@pytest.fixture(autouse=True)
def _poisoned_memory() -> Iterator[None]:
    """With deterministic algorithms asked for, torch fills every buffer it hands out uninitialised with NaN."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.empty(1).isnan()
    yield
    torch.use_deterministic_algorithms(False)


def random_marks(size: int, generator: torch.Generator, least_block: int = 0) -> Marks:
    role, position = (torch.randint(0, most, (size,), generator=generator) for most in (3, SIZE))
    return Marks.of(role, torch.randint(least_block, 5, (size,), generator=generator), position)


def on_device(marks: Marks) -> Marks:
    return Marks(*(mark.to(DEVICE) for mark in marks))


def layout(
    visibility: Visibility = Visibility.FULL, window: int = 0, rows: list[int] | None = None, size: int = SIZE
) -> Layout:
    generator = torch.Generator().manual_seed(1)
    keys = random_marks(size, generator, DEAD)
    marks = [random_marks(n, generator) for n in (ROWS if rows is None else rows)]
    extents = SHARED if rows is None else [[(0, size)] for _ in rows]
    return Layout.of(marks, extents, on_device(keys), visibility=visibility, window=window)


def tensors(
    what: Layout, num_heads: int = 4, num_kv: int = 2, head: int = 32, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and a pool, NaN where the pool is dead."""
    generator = torch.Generator().manual_seed(2)
    q, k, v = (
        torch.randn(n, h, head, generator=generator).to(DEVICE, dtype)
        for n, h in ((what.num_rows, num_heads), (what.num_keys, num_kv), (what.num_keys, num_kv))
    )
    dead = what.keys.block == DEAD
    return q, k.masked_fill(dead[:, None, None], torch.nan), v.masked_fill(dead[:, None, None], torch.nan)


def assert_twins(
    what: Layout, q: Tensor, k: Tensor, v: Tensor, softcap: float = 0.0, programs: int | None = None
) -> None:
    expected_lse, lse = (torch.full(q.shape[:2], torch.nan, device=DEVICE) for _ in range(2))
    expected = reference(q, k, v, layout=what, softcap=softcap, lse=expected_lse)
    out = kernel(q, k, v, layout=what, softcap=softcap, lse=lse, programs=programs)
    assert out.dtype == q.dtype
    torch.testing.assert_close(out, expected, rtol=0, atol=TOLERANCE[q.dtype])
    torch.testing.assert_close(lse, expected_lse, rtol=1e-5, atol=TOLERANCE[q.dtype])


@pytest.mark.parametrize(("visibility", "window"), list(product(Visibility, (0, 60))))
def test_every_rule_and_window_over_several_canvases(visibility: Visibility, window: int) -> None:
    """Canvases of 5, 1, 0 and 2 rows; the last attends to nothing; the first two share a stretch; dead rows hold NaN."""
    what = layout(visibility, window)
    assert_twins(what, *tensors(what), programs=1)


@pytest.mark.parametrize(("num_heads", "num_kv"), [(1, 1), (4, 1), (8, 1), (6, 3), (14, 2)])
def test_query_heads_of_a_group_share_their_key_head(num_heads: int, num_kv: int) -> None:
    what = layout(Visibility.EVIDENCE)
    assert_twins(what, *tensors(what, num_heads, num_kv))


@pytest.mark.parametrize(("head", "dtype"), list(product((32, 64, 80, 96, 128, 256, 512), DTYPES)))
def test_head_sizes_and_types(head: int, dtype: torch.dtype) -> None:
    what = layout(Visibility.BLOCK_CAUSAL, rows=[3], size=75)
    assert_twins(what, *tensors(what, 2, 1, head, dtype), softcap=5.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [[1], [17], [30, 40]])
def test_rows_that_do_and_do_not_fill_a_tile(rows: list[int], dtype: torch.dtype) -> None:
    """With 8 query heads a key head, 30 and 40 rows are 240 and 320 packed rows: several query tiles a canvas, one cut short."""
    what = layout(Visibility.EVIDENCE, 150, rows=rows, size=130)
    assert_twins(what, *tensors(what, 8, 1, 32, dtype))


@pytest.mark.parametrize("visibility", Visibility)
def test_the_definition_is_torchs_own_attention_under_the_mask(visibility: Visibility) -> None:
    what = layout(visibility, 80)
    q, k, v = tensors(what)
    out = reference(q, k, v, layout=what, scale=0.3)
    for rows, extents in what.canvases():
        where = pool_rows(extents, what.keys.block.device)
        where = where[what.keys.block[where] != DEAD]
        seen = visible(what.rows.at(rows), what.keys.at(where), visibility, 80)
        parts = (x.transpose(0, 1)[None] for x in (q[rows], k[where], v[where]))
        expected = scaled_dot_product_attention(*parts, attn_mask=seen, scale=0.3, enable_gqa=True)[0].transpose(0, 1)
        able = seen.any(1)  # what torch gives a query that sees nothing is not ours
        torch.testing.assert_close(out[rows][able], expected[able], rtol=0, atol=1e-5)
        assert not out[rows][~able].any()


def test_the_rules_by_eye() -> None:
    """Question in block 0, two passages in blocks 1 and 2, a draft in block 3, one dead row; a query of each."""
    query = Marks.of([Role.QUESTION, Role.EVIDENCE, Role.DRAFT, Role.DRAFT], [0, 2, 3, DEAD], [0, 0, 9, 9])
    key = Marks.of(
        [Role.QUESTION, Role.EVIDENCE, Role.EVIDENCE, Role.DRAFT, Role.DRAFT], [0, 1, 2, 3, DEAD], [0, 5, 6, 9, 9]
    )
    assert visible(query, key, Visibility.FULL).int().tolist() == [[1, 1, 1, 1, 0]] * 3 + [[0] * 5]
    assert visible(query, key, Visibility.EVIDENCE).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 0, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    assert visible(query, key, Visibility.BLOCK_CAUSAL).int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0],
        [1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]
    assert visible(query, key, Visibility.FULL, 4).int().tolist()[2] == [0, 0, 1, 1, 0]


def test_a_query_that_sees_nothing_gives_zeros() -> None:
    keys = Marks.of([Role.EVIDENCE] * 40, [1] * 40, list(range(40)))
    rows = Marks.of([Role.EVIDENCE, Role.EVIDENCE, Role.DRAFT], [2, 1, DEAD], [0, 0, 0])
    what = Layout.of([rows], [[(0, 40)]], on_device(keys), visibility=Visibility.EVIDENCE)
    q, k, v = tensors(what)
    lse = torch.full((3, 4), torch.nan, device=DEVICE)
    out = kernel(q, k, v, layout=what, lse=lse)
    assert not out[0].any()
    assert not out[2].any()
    assert lse[[0, 2]].isneginf().all()
    assert_twins(what, q, k, v)


@pytest.mark.parametrize("rows", [[], [0], [0, 0]])
def test_no_rows(rows: list[int]) -> None:
    what = layout(rows=rows)
    assert kernel(*tensors(what), layout=what).shape == reference(*tensors(what), layout=what).shape == (0, 4, 32)


def test_same_bits_twice_and_the_same_answer_however_the_keys_are_split() -> None:
    what = layout(Visibility.EVIDENCE, rows=[4], size=700)
    q, k, v = tensors(what)
    whole = kernel(q, k, v, layout=what, programs=2)
    assert not plan(what, Grain(2, 16, 32, 1)).is_split
    for programs in (4, 64):
        split = kernel(q, k, v, layout=what, programs=programs)
        assert plan(what, Grain(2, 16, 32, programs // 2)).is_split
        assert torch.equal(split, kernel(q, k, v, layout=what, programs=programs))
        torch.testing.assert_close(split, whole, rtol=0, atol=TOLERANCE[torch.float32])
    assert_twins(what, q, k, v, programs=9)


def test_a_canvas_answers_the_same_alone_and_beside_others() -> None:
    """The first canvas of the shared layout, alone: other canvases' rows and stretches change nothing in it, bit for bit."""
    what = layout(Visibility.EVIDENCE)
    q, k, v = tensors(what)
    alone = Layout.of([what.rows.at(slice(0, 5))], SHARED[:1], what.keys, visibility=Visibility.EVIDENCE)
    together = kernel(q, k, v, layout=what, programs=1)
    assert torch.equal(together[:5], kernel(q[:5], k, v, layout=alone, programs=1))


def test_a_detached_stretch_has_no_say() -> None:
    what = layout()
    q, k, v = tensors(what)
    detached = Layout.of([what.rows.at(slice(0, 5))], [[(0, 70)]], what.keys)
    k[70:], v[70:] = torch.nan, torch.nan
    assert not kernel(q[:5], k, v, layout=detached).isnan().any()
    assert_twins(detached, q[:5], k, v)


def test_strided_tensors_are_read_where_they_lie() -> None:
    """Queries as a slice of a fused projection, keys and values side by side in one pool."""
    what = layout(Visibility.BLOCK_CAUSAL)
    q, k, v = tensors(what)
    fused, pool = torch.stack([q, q * 2], 1).flatten(1, 2), torch.stack([k, v], 1)
    out = kernel(fused[:, :4], pool[:, 0], pool[:, 1], layout=what)
    assert torch.equal(out, kernel(q, k, v, layout=what))


def test_what_no_row_of_a_tile_sees_is_not_read() -> None:
    """A question and three passages of 64 rows, one query in the second passage: its tiles are the question's and its own."""
    role = [Role.QUESTION] * 64 + [Role.EVIDENCE] * 192
    keys = on_device(Marks.of(role, [n // 64 for n in range(256)], list(range(256))))
    row = Marks.of([Role.EVIDENCE], [2], [0])
    grain = Grain(1, 16, 64, 1)
    local = plan(Layout.of([row], [[(0, 256)]], keys, visibility=Visibility.EVIDENCE), grain)
    assert local.key_tiles.tolist()[:-2] == [[0, 64], [128, 64]]
    near = plan(Layout.of([row], [[(0, 256)]], keys, window=64), grain)
    assert near.key_tiles.tolist()[:-2] == [[0, 64]]
    everything = plan(Layout.of([row], [[(0, 256)]], keys), grain)
    assert len(everything.key_tiles) - 2 == 4


def test_dead_rows_are_cut_out_of_the_work() -> None:
    keys = Marks.of([0] * 10, [0, 0, DEAD, DEAD, 0, 0, 0, DEAD, 0, 0], list(range(10)))
    work = plan(Layout.of([Marks.of([0], [0], [0])], [[(1, 8)]], on_device(keys)), Grain(1, 16, 16, 1))
    assert work.key_tiles.tolist()[:-2] == [[1, 1], [4, 3], [8, 1]]


def test_a_layout_says_what_is_wrong() -> None:
    keys, row = Marks.of([0] * 8, [0] * 8, [0] * 8), Marks.of([0], [0], [0])
    with pytest.raises(ValueError, match=r"extent \(6, 3\) of canvas 0 leaves the pool of 8 rows"):
        Layout.of([row], [[(6, 3)]], keys)
    with pytest.raises(ValueError, match=r"extent \(3, 2\) of canvas 0 overlaps"):
        Layout.of([row], [[(3, 2), (0, 4)]], keys)
    with pytest.raises(ValueError, match="1 canvases have rows and 2 have extents"):
        Layout.of([row], [[], []], keys)
    with pytest.raises(ValueError, match="window is -1"):
        Layout.of([row], [[]], keys, window=-1)
    with pytest.raises(ValueError, match="three lists of one length"):
        Marks.of([0, 1], [0], [0])


def test_the_door_takes_both_twins_and_says_what_does_not_fit() -> None:
    what = layout(Visibility.EVIDENCE)
    q, k, v = tensors(what)
    with ops.prefer("triton"):
        out = ops.attention(q, k, v, layout=what)
    with ops.prefer("reference"):
        torch.testing.assert_close(out, ops.attention(q, k, v, layout=what), rtol=0, atol=TOLERANCE[torch.float32])
    with pytest.raises(ValueError, match="Hq a multiple of Hkv"):
        ops.attention(q[:, :3], k, v, layout=what)
    with pytest.raises(ValueError, match="7 rows and a pool of 300, the layout 8 and 300"):
        ops.attention(q[:7], k, v, layout=what)
    with pytest.raises(ValueError, match=r"k is torch.float16 .*; bring them to one type and device"):
        ops.attention(q, k.half(), v, layout=what)
    with pytest.raises(ValueError, match="with the numbers of a head side by side"):
        ops.attention(q, k.mT.contiguous().mT, v, layout=what)
    with pytest.raises(ValueError, match=r"give a contiguous \[8, 4\] of float32"):
        ops.attention(q, k, v, layout=what, lse=torch.empty(8, 4, device=DEVICE, dtype=torch.float16))


def test_where_gradients_are_wanted_the_definition_computes() -> None:
    what = layout()
    q, k, v = tensors(what)
    with ops.prefer("triton"):
        out = ops.attention(q.requires_grad_(), k, v, layout=what)
        assert out.requires_grad
        with torch.no_grad():
            assert not ops.attention(q, k, v, layout=what).requires_grad


def test_gradients_of_the_definition_are_finite_beside_dead_rows_and_blind_queries() -> None:
    what = layout(Visibility.EVIDENCE, 60)
    q, k, v = (x.clone().requires_grad_() for x in tensors(what))
    reference(q, k, v, layout=what).square().sum().backward()
    for x in (q, k, v):
        assert x.grad is not None
        assert x.grad.isfinite().all()
