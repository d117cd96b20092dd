"""masked_loss: the loss of masked rows and every gradient; kernel and reference equal the definition in float64, and keep no logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from palimpsest.kernels import ops
from palimpsest.kernels.reference.masked_loss import masked_loss as reference
from palimpsest.kernels.words import Allowed

from .test_unmask import Largest

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPES = [torch.float32, torch.float16, *([torch.bfloat16] if DEVICE == "cuda" else [])]  # bf16 only on a GPU


def tensors(rows: int, words: int, width: int, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(4)
    made = {
        "hidden": torch.randn(rows, width, generator=generator) / width**0.5,
        "weight": torch.randn(words, width, generator=generator),
        "bias": torch.randn(words, generator=generator),
    }
    given = {name: t.to(DEVICE, dtype).requires_grad_() for name, t in made.items()}
    given["row_weight"] = (torch.rand(rows, generator=generator) + 0.5).to(DEVICE).requires_grad_()
    given["target"] = torch.randint(words, (rows,), generator=generator).to(DEVICE)
    return given


def gradients(loss: Tensor, given: dict[str, Tensor]) -> dict[str, Tensor]:
    wanted = {name: t for name, t in given.items() if t.requires_grad}
    grads = torch.autograd.grad(3 * loss, list(wanted.values()), allow_unused=True, materialize_grads=True)
    return {name: g.float() for name, g in zip(wanted, grads, strict=True)}


@dataclass(frozen=True)
class Defined:
    """The definition in float64: a value, and the same sum over absolute values, by which errors are measured."""

    value: Tensor
    size: Tensor


@torch.no_grad()
def definition(
    given: dict[str, Tensor],
    where: Tensor | None = None,
    sets: list[list[int] | None] | None = None,
    softcap: float = 0.0,
) -> dict[str, Defined]:
    """Loss and gradients of three times the loss, term by term, from the inputs as they are stored."""
    hidden, weight, target = given["hidden"].double(), given["weight"].double(), given["target"]
    rows, words = len(hidden), len(weight)
    scale = given.get("row_weight", torch.ones(rows, device=DEVICE)).double()
    scale = scale if where is None else scale * where
    raw = hidden @ weight.T + given.get("bias", torch.zeros(words, device=DEVICE)).double()
    logits = softcap * torch.tanh(raw / softcap) if softcap else raw
    for row, chosen in enumerate(sets or []):
        if chosen is not None:
            outside = torch.ones(words, dtype=torch.bool, device=DEVICE)
            outside[chosen] = False
            logits[row] = logits[row].masked_fill(outside, -torch.inf)
    norm, picked = logits.logsumexp(1), logits.gather(1, target[:, None])[:, 0]
    each = torch.where(scale > 0, norm - picked, 0.0)
    shares = (logits - norm[:, None]).exp().nan_to_num(0.0)
    slopes = shares - torch.nn.functional.one_hot(target, words).double()
    slopes = slopes * (1 - (logits / softcap) ** 2).nan_to_num(0.0, neginf=0.0) if softcap else slopes
    slopes = torch.where((scale > 0)[:, None], 3 * scale[:, None] * slopes, 0.0)
    counted = where if where is not None else torch.ones(rows, dtype=torch.bool, device=DEVICE)
    terms = torch.where(counted, norm.abs() + picked.abs(), 0.0)
    found = {
        "loss": Defined((scale * each).sum(), (scale * terms).sum()),
        "hidden": Defined(slopes @ weight, slopes.abs() @ weight.abs()),
        "weight": Defined(slopes.T @ hidden, slopes.abs().T @ hidden.abs()),
        "bias": Defined(slopes.sum(0), slopes.abs().sum(0)),
        "row_weight": Defined(3 * torch.where(counted, norm - picked, 0.0), 3 * terms),
    }
    return {name: d for name, d in found.items() if name == "loss" or name in given}


def check(
    given: dict[str, Tensor],
    where: Tensor | None = None,
    sets: list[list[int] | None] | None = None,
    softcap: float = 0.0,
) -> None:
    """Both paths beside the definition. Sums of n terms in any order err like a random walk, by sqrt(n) roundings of fp32, of which
    eight times as many are allowed; half types also round slopes and results, at most to the spacing of their smallest numbers.
    """
    dtype, terms = given["hidden"].dtype, sum(given["weight"].shape) + len(given["hidden"])
    allowed = None if sets is None else Allowed.of(sets, DEVICE)
    share = 8 * terms**0.5 * 2**-24 + (2 * torch.finfo(dtype).eps if dtype != torch.float32 else 0.0)
    spacing = torch.finfo(dtype).smallest_normal * torch.finfo(dtype).eps
    floor = spacing * (1 + max(float(given[n].detach().double().abs().sum(0).max()) for n in ("hidden", "weight")))
    for path in ("triton", "reference"):
        with ops.prefer(path):
            loss = ops.masked_loss(**given, where=where, allowed=allowed, softcap=softcap)
        found = {"loss": loss.detach(), **gradients(loss, given)}
        for name, wanted in definition(given, where, sets, softcap).items():
            off = (found[name].double() - wanted.value).abs() - floor
            assert bool((off <= share * wanted.size).all()), (
                f"{path}: {name} is off by {float((off / wanted.size).max()):.2e}"
            )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("rows", "words", "width"), [(3, 50_257, 8), (2, 9_973, 4), (13, 1500, 33), (1, 5, 3)])
def test_loss_and_every_gradient_are_the_definitions(rows: int, words: int, width: int, dtype: torch.dtype) -> None:
    check(tensors(rows, words, width, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("softcap", [0.0, 4.0])
def test_with_rows_left_out_sets_and_a_cap(dtype: torch.dtype, softcap: float) -> None:
    given = tensors(7, 2500, 12, dtype)
    where = torch.tensor([1, 0, 1, 1, 0, 1, 1], dtype=torch.bool, device=DEVICE)
    target = given["target"].tolist()
    sets = [None, [], [target[2], 3], None, None, [target[5]], list(range(2500))]
    check(given, where, sets, softcap)


def test_without_bias_and_row_weights() -> None:
    given = tensors(5, 300, 8)
    check({name: given[name] for name in ("hidden", "weight", "target")})


def test_the_definition_has_the_slopes_of_finite_differences() -> None:
    given = tensors(4, 9, 3)
    values = [given[n].detach().double().requires_grad_() for n in ("hidden", "weight", "row_weight", "bias")]
    where = torch.tensor([True, True, False, True], device=DEVICE)
    sets = Allowed.of([None, [int(given["target"][1]), 2], [], None], DEVICE)

    def loss(hidden: Tensor, weight: Tensor, row_weight: Tensor, bias: Tensor) -> Tensor:
        return reference(hidden, weight, given["target"], row_weight, bias, where, sets, 3.0)

    assert torch.autograd.gradcheck(loss, values)


def test_rows_left_out_are_not_read_and_have_gradients_of_zero() -> None:
    """NaN in hidden states, row weights and targets outside the vocabulary do not matter there."""
    given = tensors(5, 400, 6)
    with torch.no_grad():
        given["hidden"][[0, 3]] = torch.nan
        given["row_weight"][[0, 3]] = torch.nan
    given["target"][[0, 3]] = 10**6
    where = torch.tensor([False, True, True, False, True], device=DEVICE)
    with ops.prefer("triton"):
        found = gradients(ops.masked_loss(**given, where=where), given)
    assert all(bool(g.isfinite().all()) for g in found.values())
    assert not found["hidden"][[0, 3]].any()
    assert not found["row_weight"][[0, 3]].any()
    assert found["hidden"][[1, 2, 4]].abs().sum(1).min() > 0


@pytest.mark.parametrize("path", ["triton", "reference"])
def test_no_rows_cost_nothing(path: ops.Path) -> None:
    given = tensors(3, 50, 4)
    with ops.prefer(path):
        loss = ops.masked_loss(**given, where=torch.zeros(3, dtype=torch.bool, device=DEVICE))
    assert float(loss.detach()) == 0
    assert all(not g.any() for g in gradients(loss, given).values())


@pytest.mark.parametrize("path", ["triton", "reference"])
def test_a_target_that_is_not_allowed_is_one_sentence(path: ops.Path) -> None:
    given = tensors(3, 50, 4)
    sets = Allowed.of([None, [(int(given["target"][1]) + 1) % 50], None], DEVICE)
    with ops.prefer(path), pytest.raises(ValueError, match="target of row 1 is not among the words it is allowed"):
        ops.masked_loss(**given, allowed=sets)


def test_only_what_is_asked_for_is_differentiated() -> None:
    given = {name: t.detach() for name, t in tensors(4, 60, 5).items()}
    given["hidden"].requires_grad_()
    with ops.prefer("triton"):
        found = gradients(ops.masked_loss(**given), given)
    assert list(found) == ["hidden"]
    whole = tensors(4, 60, 5)
    with ops.prefer("reference"):
        expected = gradients(ops.masked_loss(**whole), whole)["hidden"]
    torch.testing.assert_close(found["hidden"], expected, rtol=1e-4, atol=1e-5)


def test_no_logits_are_kept() -> None:
    """Forward and backward over a vocabulary of 12,000 words: no tensor but the gradient of the weight is near the size of the logits,
    and what waits for the backward pass beside the inputs is a few numbers a row."""
    rows, words, width = 24, 12_000, 8
    given = tensors(rows, words, width)
    kept: list[int] = []

    def pack(tensor: Tensor) -> Tensor:
        if all(tensor is not t for t in given.values()):
            kept.append(tensor.numel())
        return tensor

    with ops.prefer("triton"), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), Largest() as forward:
        loss = ops.masked_loss(**given)
    assert forward.numel < rows * words / 8
    assert sum(kept) <= 4 * rows
    with Largest() as backward:
        torch.autograd.grad(loss, [given["hidden"], given["bias"]])
    assert backward.numel <= words * width < rows * words / 2  # the gradient of the weight


def test_the_same_bits_every_time() -> None:
    given = tensors(9, 3000, 16)

    def once() -> list[Tensor]:
        with ops.prefer("triton"):
            loss = ops.masked_loss(**given)
        return [loss.detach(), *gradients(loss, given).values()]

    assert all(torch.equal(a, b) for a, b in zip(once(), once(), strict=True))


def test_uninitialised_memory_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradient buffers come full of NaN and are written whole, in the last part of the vocabulary too."""

    def poisoned(like: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *a, **k: like(*a, **k).fill_(torch.nan)

    given = tensors(5, 1300, 7, torch.float16)
    monkeypatch.setattr(torch, "empty_like", poisoned(torch.empty_like))
    check(given)
