"""unmask: the best word of each row, streamed; the kernel equals its definition, and the definition the plain softmax."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from palimpsest.kernels import ops
from palimpsest.kernels.words import Allowed, Unmasked, gumbel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Of probabilities, entropies and margins. Both sum fp32 products of the same numbers, in another order; bf16 only on a GPU: the
# interpreter gets it wrong.
TOLERANCE = {torch.float32: 2e-5, torch.float16: 2e-4, torch.bfloat16: 2e-3}
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if DEVICE == "cuda" else [])]


def tensors(
    rows: int, words: int, width: int, dtype: torch.dtype = torch.float32, seed: int = 0
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden, weight = torch.randn(rows, width, generator=generator), torch.randn(words, width, generator=generator)
    return (2 * hidden / width**0.5).to(DEVICE, dtype), weight.to(DEVICE, dtype)


def both(hidden: Tensor, weight: Tensor, **settings: Any) -> tuple[Unmasked, Unmasked]:
    """What the kernel and what the reference say."""
    both = []
    for path in ("triton", "reference"):
        with ops.prefer(path):
            both.append(ops.unmask(hidden, weight, **settings))
    return both[0], both[1]


def check(one: Unmasked, two: Unmasked, dtype: torch.dtype) -> None:
    assert one.token.tolist() == two.token.tolist()
    for name in ("prob", "entropy", "margin"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b, atol=TOLERANCE[dtype] * (10 if name == "entropy" else 1), rtol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "words", "width"), [(1, 50_257, 24), (3, 20_011, 16), (37, 1000, 80), (5, 7, 3), (2, 1, 8)]
)
def test_the_kernel_is_the_definition(rows: int, words: int, width: int, dtype: torch.dtype) -> None:
    check(*both(*tensors(rows, words, width, dtype)), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("softcap", [0.0, 3.0])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_bias_cap_temperature_and_sets_together(dtype: torch.dtype, softcap: float, temperature: float) -> None:
    """Rows of two canvases read at a shift; free rows, short sets, an empty one, all words, and one as long as several programs."""
    hidden, weight = tensors(9, 700, 33, dtype)
    bias = torch.randn(700, generator=torch.Generator().manual_seed(1)).to(DEVICE, dtype)
    sets: list[Sequence[int] | None] = [None, [5, 699, 0], [], list(range(700)), None, [41], list(range(0, 700, 3))]
    settings = {"bias": bias, "softcap": softcap, "temperature": temperature, "seed": 11}
    rows = torch.tensor([0, 8, 3, 4, 4, 1, 7], device=DEVICE)
    check(*both(hidden, weight, rows=rows, shift=1, allowed=Allowed.of(sets, DEVICE), **settings), dtype)


@pytest.mark.parametrize("path", ["triton", "reference"])
def test_the_definition_is_the_plain_softmax(path: ops.Path) -> None:
    """By whole logits in fp64, shares no code with either."""
    hidden, weight = tensors(4, 5000, 12)
    bias = torch.linspace(-1, 1, 5000, device=DEVICE)
    sets = [None, [3, 4000], [77], None]
    logits = 5 * torch.tanh((hidden.double() @ weight.double().T + bias.double()) / 5)
    for row, words in enumerate(sets):
        if words is not None:
            out = torch.ones(5000, dtype=torch.bool, device=DEVICE)
            out[words] = False
            logits[row, out] = -torch.inf
    probabilities = logits.softmax(-1)
    with ops.prefer(path):
        found = ops.unmask(hidden, weight, bias=bias, allowed=Allowed.of(sets, DEVICE), softcap=5.0)
    assert found.token.tolist() == probabilities.argmax(-1).tolist()
    two = probabilities.topk(2).values
    torch.testing.assert_close(found.prob.double(), two[:, 0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.margin.double(), two[:, 0] - two[:, 1], atol=1e-5, rtol=1e-4)
    entropy = -(probabilities * probabilities.clamp_min(1e-300).log()).sum(-1)
    torch.testing.assert_close(found.entropy.double(), entropy, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("path", ["triton", "reference"])
def test_no_row_may_become_nothing_and_no_rows_at_all(path: ops.Path) -> None:
    hidden, weight = tensors(2, 40, 8)
    with ops.prefer(path):
        found = ops.unmask(hidden, weight, allowed=Allowed.of([[], []], DEVICE))
        none = ops.unmask(hidden, weight, rows=torch.empty(0, dtype=torch.int64, device=DEVICE))
    assert found.token.tolist() == [-1, -1]
    assert [t.tolist() for t in (found.prob, found.entropy, found.margin)] == [[0.0, 0.0]] * 3
    assert [len(t) for t in (none.token, none.prob, none.entropy, none.margin)] == [0] * 4


@pytest.mark.parametrize("path", ["triton", "reference"])
@pytest.mark.parametrize("words", [[9, 10], [3, 2000], [1500, 4999, 40], [127, 128, 129]])
def test_of_equal_words_the_smallest_is_best(words: list[int], path: ops.Path) -> None:
    """Inside a tile, across tiles and across splits; in the streamed rows and in the restricted ones."""
    hidden, weight = torch.ones(2, 4, device=DEVICE), torch.zeros(5000, 4, device=DEVICE)
    weight[words] = 2.0
    sets = Allowed.of([None, [*words, *range(100, 300)]], DEVICE)
    with ops.prefer(path):
        found = ops.unmask(hidden, weight, allowed=sets)
    assert found.token.tolist() == [min(words)] * 2
    torch.testing.assert_close(found.margin, torch.zeros(2, device=DEVICE), atol=1e-6, rtol=0)


def test_ties_across_many_splits() -> None:
    from palimpsest.kernels.triton.unmask import unmask

    hidden, weight = torch.ones(1, 4, device=DEVICE), torch.zeros(5000, 4, device=DEVICE)
    weight[[700, 1400, 4900]] = 2.0
    places = torch.zeros(1, dtype=torch.int64, device=DEVICE)
    plain = {"bias": None, "allowed": None, "temperature": 0.0, "seed": 0, "softcap": 0.0}
    for programs in (1, 3, 16, 1000):
        found = unmask(hidden, weight, places, programs=programs, **plain)  # type: ignore[arg-type]
        assert found.token.tolist() == [700]


def test_what_is_not_asked_or_not_allowed_is_not_read() -> None:
    """NaN in rows of hidden states that are not asked, and in weights outside the only rows' sets, poisons nothing."""
    hidden, weight = tensors(6, 3000, 20)
    clean = both(hidden, weight, rows=torch.tensor([1, 4], device=DEVICE), allowed=Allowed.of([[5, 9], [2999]], DEVICE))
    hidden[[0, 2, 3, 5]] = torch.nan
    kept = weight[[5, 9, 2999]].clone()
    weight.fill_(torch.nan)
    weight[[5, 9, 2999]] = kept
    with ops.prefer("triton"):
        found = ops.unmask(
            hidden, weight, rows=torch.tensor([1, 4], device=DEVICE), allowed=Allowed.of([[5, 9], [2999]], DEVICE)
        )
    assert all(torch.equal(a, b) for a, b in zip(figures_of(found), figures_of(clean[0]), strict=True))


def figures_of(found: Unmasked) -> tuple[Tensor, ...]:
    return found.token, found.prob, found.entropy, found.margin


def test_uninitialised_memory_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every buffer the kernel asks for comes full of NaN."""
    empty = torch.empty

    def poisoned(*size: Any, **kwargs: Any) -> Tensor:
        made = empty(*size, **kwargs)
        return made.fill_(torch.nan if made.is_floating_point() else -7)

    hidden, weight = tensors(19, 900, 17)
    sets = Allowed.of([None, [4], [], *[None] * 15, list(range(400))], DEVICE)
    expected = both(hidden, weight, allowed=sets)[1]
    monkeypatch.setattr(torch, "empty", poisoned)
    with ops.prefer("triton"):
        check(ops.unmask(hidden, weight, allowed=sets), expected, torch.float32)


def test_the_same_bits_every_time_and_the_seed_decides() -> None:
    hidden, weight = tensors(8, 4000, 32)
    with ops.prefer("triton"):
        one, two = (ops.unmask(hidden, weight, temperature=1.5, seed=3) for _ in range(2))
        other = ops.unmask(hidden, weight, temperature=1.5, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(figures_of(one), figures_of(two), strict=True))
    assert one.token.tolist() != other.token.tolist()


def test_a_row_draws_the_same_word_alone_and_among_others() -> None:
    """Noise depends on seed, place and word alone: not on the tile, the split or the neighbours."""
    hidden, weight = tensors(40, 2000, 8)
    with ops.prefer("triton"):
        together = ops.unmask(hidden, weight, temperature=1.0, seed=5).token
        alone = [
            int(ops.unmask(hidden, weight, rows=torch.tensor([r], device=DEVICE), temperature=1.0, seed=5).token)
            for r in (0, 17, 39)
        ]
    assert alone == together[[0, 17, 39]].tolist()


def test_words_are_drawn_as_often_as_they_are_likely() -> None:
    """20,000 places of one distribution: every word's share within four standard errors."""
    count, logits = 20_000, torch.tensor([2.0, 1.0, 0.0, -1.0, 1.0])
    noise = gumbel(9, torch.arange(count), torch.arange(5))
    assert noise.mean().item() == pytest.approx(0.5772, abs=4 * math.pi / 6**0.5 / (5 * count) ** 0.5)
    hidden, weight = torch.ones(count, 1, device=DEVICE), logits[:, None].to(DEVICE)
    found = ops.unmask(hidden, weight, temperature=0.5, seed=9)
    expected = (logits / 0.5).softmax(0)
    share = torch.bincount(found.token.cpu(), minlength=5) / count
    assert bool(((share - expected).abs() < 4 * (expected * (1 - expected) / count).sqrt()).all())
    assert found.prob.cpu()[found.token.cpu() == 0][0].item() == pytest.approx(float(logits.softmax(0)[0]), abs=1e-5)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor that is made, and the sum of all."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        given = {id(t) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and id(tensor) not in given and not tensor._is_view():
                self.numel = max(self.numel, tensor.numel())
                self.total += tensor.numel()
        return made


@pytest.mark.parametrize(("path", "words"), [("triton", 16_000), ("reference", 126_464)])
def test_no_buffer_of_the_vocabulary_is_made_for_any_row(path: ops.Path, words: int) -> None:
    """All tensors that the kernel makes together are smaller than one row of logits; the reference makes a stretch at a time."""
    rows = 4
    hidden, weight = tensors(rows, words, 4)
    sets = Allowed.of([None, None, None, [1, 2]], DEVICE)
    with ops.prefer(path), Largest() as seen:
        ops.unmask(hidden, weight, allowed=sets, temperature=1.0)
    assert 0 < seen.numel < rows * words / 7
    if path == "triton":
        assert seen.total < words


def test_a_vocabulary_that_does_not_lie_row_by_row_is_read_all_the_same() -> None:
    hidden, weight = tensors(3, 300, 16)
    check(*both(hidden, weight.T.contiguous().T), torch.float32)
