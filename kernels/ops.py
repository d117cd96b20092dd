"""The one door to the kernels: Triton on an NVIDIA GPU, plain torch elsewhere, the same answer from both.

Nothing is imported before it is called. `with prefer("reference")` and `with prefer("triton")` choose for a test; Triton on CPU tensors
runs in its interpreter, if that was asked for (TRITON_INTERPRET=1) before triton was first imported.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal

import torch
from torch import Tensor

from .commit import Commit
from .visibility import Layout
from .words import Allowed, Unmasked

Path = Literal["triton", "reference"]
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_PREFERRED: ContextVar[Path | None] = ContextVar("preferred kernels", default=None)


@contextmanager
def prefer(path: Path) -> Iterator[None]:
    """Take every kernel from `path` inside the block, in this thread or task."""
    if path not in ("triton", "reference"):
        raise ValueError(f"there are no kernels named {path!r}; prefer triton or reference")
    token = _PREFERRED.set(path)
    try:
        yield
    finally:
        _PREFERRED.reset(token)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    layout: Layout,
    scale: float | None = None,
    softcap: float = 0.0,
    lse: Tensor | None = None,
) -> Tensor:
    """Attention of the live rows of several canvases over pooled keys and values.

    q [N, Hq, D] are the rows of all canvases one after the other, k and v [S, Hkv, D] the pool, Hq a multiple of Hkv; `layout` says
    which stretches of the pool each canvas attends to and by which rule. Returns [N, Hq, D]; a row that sees nothing gives zeros.
    `scale` is D ** -0.5 unless given; scores are capped to softcap * tanh(score / softcap) when that is positive; `lse` [N, Hq] fp32
    takes the log-sum-exp of the scores. Where gradients are wanted the reference computes: the kernel has no backward. ValueError
    when shapes, types or devices do not fit.
    """
    _check_attention(q, k, v, layout, lse)
    wants_gradients = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))
    kernel = _imported("reference", "attention") if wants_gradients else _kernel("attention", q)
    out: Tensor = kernel(q, k, v, layout=layout, scale=scale, softcap=softcap, lse=lse)
    return out


def kv_commit(k_pool: Tensor, v_pool: Tensor, k_new: Tensor, v_new: Tensor, commit: Commit) -> None:
    """Write new keys and values [M, Hkv, D] into the pools [S, Hkv, D] and turn cached keys, in place, as `commit` says.

    ValueError when shapes, types or devices do not fit, or a row lies outside the pool.
    """
    _check_commit(k_pool, v_pool, k_new, v_new, commit)
    _kernel("kv_commit", k_pool)(k_pool, v_pool, k_new, v_new, commit)


def unmask(
    hidden: Tensor,
    weight: Tensor,
    *,
    bias: Tensor | None = None,
    rows: Tensor | None = None,
    shift: int = 0,
    allowed: Allowed | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    softcap: float = 0.0,
) -> Unmasked:
    """The best word of each row from hidden states [T, C] and the head's weight [V, C] (and bias [V]), streamed over the vocabulary.

    `rows` [R] int64 are the places that are asked (all of them by default); place i is read off row i - shift, the first off itself
    (Dream: shift 1). Of equal words the one with the smallest id is best. With a `temperature` above 0 the word is drawn instead (the
    maximum of logit / temperature + Gumbel noise of `seed`, place and word); probability, entropy and margin are those of the words
    as they are. `allowed` holds a set for each of the R rows; the rest of the vocabulary is then as if it were not there. No buffer
    of the vocabulary's size is made for any row. ValueError when shapes, types or devices do not fit.
    """
    _check_head(hidden, weight, bias)
    places = torch.arange(len(hidden), device=hidden.device) if rows is None else rows
    if places.dtype != torch.int64:
        raise ValueError(f"rows are {places.dtype}; give int64")
    if not places.is_cuda and len(places) and not 0 <= int(places.min()) <= int(places.max()) < len(hidden):
        wrong = int(places.max()) if int(places.min()) >= 0 else int(places.min())
        raise ValueError(f"row {wrong} is asked and there are {len(hidden)}; ask rows from 0 to {len(hidden) - 1}")
    if allowed is not None and len(allowed.free) != len(places):
        raise ValueError(
            f"{len(places)} rows are asked and {len(allowed.free)} have sets of words; give a set for each"
        )
    _check_words(allowed, len(weight))
    if temperature < 0 or softcap < 0:
        raise ValueError(f"temperature {temperature} and softcap {softcap} must not be negative")
    read = hidden[(places - shift).clamp_min(0)]
    settings = {"bias": bias, "allowed": allowed, "temperature": temperature, "seed": seed, "softcap": softcap}
    return _kernel("unmask", hidden)(read, weight, places, **settings)


def masked_loss(
    hidden: Tensor,
    weight: Tensor,
    target: Tensor,
    *,
    row_weight: Tensor | None = None,
    bias: Tensor | None = None,
    where: Tensor | None = None,
    allowed: Allowed | None = None,
    softcap: float = 0.0,
) -> Tensor:
    """The sum over rows of row_weight * cross-entropy, from hidden states [N, C] and the head's weight [V, C], differentiable.

    Only rows of `where` [N] bool are computed (all by default); the others have no say and gradients of exactly zero. `target` [N]
    int64, `row_weight` [N] fp32 (1 by default; differentiable like hidden, weight and bias). `allowed` restricts the words of a row; a
    target outside its set is an error. Logits are made for a part of the vocabulary at a time and never kept.
    ValueError when shapes, types or devices do not fit.
    """
    _check_head(hidden, weight, bias)
    _check_rows(len(hidden), torch.int64, target=target)
    _check_rows(len(hidden), torch.bool, where=where)
    _check_rows(len(hidden), torch.float32, row_weight=row_weight)
    if allowed is not None and len(allowed.free) != len(hidden):
        raise ValueError(f"{len(hidden)} rows have targets and {len(allowed.free)} sets of words; give a set for each")
    _check_words(allowed, len(weight))
    return _kernel("masked_loss", hidden)(hidden, weight, target, row_weight, bias, where, allowed, softcap)


def takes_triton(tensor: Tensor) -> bool:
    """Whether a call with this tensor would go to the Triton kernels."""
    return (_PREFERRED.get() or ("triton" if tensor.is_cuda and _has_triton() else "reference")) == "triton"


def _kernel(name: str, tensor: Tensor) -> Callable[..., Any]:
    return _imported("triton" if takes_triton(tensor) else "reference", name)


@cache
def _imported(path: str, name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(importlib.import_module(f"{__package__}.{path}.{name}"), name)
    return found


@cache
def _has_triton() -> bool:
    """ROCm builds of torch call their devices cuda too; there, as without triton, the reference serves."""
    return torch.version.hip is None and importlib.util.find_spec("triton") is not None


def _check_types(**tensors: Tensor) -> None:
    """ValueError unless all have one supported type and lie on one device."""
    first = next(iter(tensors.values()))
    for name, tensor in tensors.items():
        if tensor.dtype not in DTYPES:
            raise ValueError(f"{name} is {tensor.dtype}; give float32, float16 or bfloat16")
        if tensor.dtype != first.dtype or tensor.device != first.device:
            kind = f"{tensor.dtype} on {tensor.device}, others are {first.dtype} on {first.device}"
            raise ValueError(f"{name} is {kind}; bring them to one type and device")


def _check_strides(**tensors: Tensor) -> None:
    for name, tensor in tensors.items():
        if tensor.dim() != 3 or (tensor.numel() and tensor.stride(2) != 1):
            layout = f"{list(tensor.shape)} with strides {list(tensor.stride())}"
            raise ValueError(
                f"{name} is {layout}; give [rows, heads, head size] with the numbers of a head side by side"
            )


def _check_attention(q: Tensor, k: Tensor, v: Tensor, layout: Layout, lse: Tensor | None) -> None:
    _check_types(q=q, k=k, v=v)
    _check_strides(q=q, k=k, v=v)
    if (
        q.dim() != 3
        or k.dim() != 3
        or k.shape != v.shape
        or q.shape[2] != k.shape[2]
        or q.shape[1] % max(k.shape[1], 1)
    ):
        shapes = f"q {list(q.shape)}, k {list(k.shape)}, v {list(v.shape)}"
        raise ValueError(f"{shapes} do not fit; give q [N, Hq, D], k and v [S, Hkv, D], Hq a multiple of Hkv")
    if len(q) != layout.num_rows or len(k) != layout.num_keys:
        sizes = f"{len(q)} rows and a pool of {len(k)}, the layout {layout.num_rows} and {layout.num_keys}"
        raise ValueError(f"there are {sizes}; build the layout for these tensors")
    if q.shape[2] > 512:
        raise ValueError(f"a head of {q.shape[2]} values is too wide; at most 512 are supported")
    if layout.extents.device != q.device:
        raise ValueError(
            f"q is on {q.device}, the layout on {layout.extents.device}; build the layout from marks on {q.device}"
        )
    if lse is not None and (lse.shape != q.shape[:2] or lse.dtype != torch.float32 or not lse.is_contiguous()):
        raise ValueError(f"lse is {list(lse.shape)} of {lse.dtype}; give a contiguous {list(q.shape[:2])} of float32")


def _check_commit(k_pool: Tensor, v_pool: Tensor, k_new: Tensor, v_new: Tensor, commit: Commit) -> None:
    _check_types(k_pool=k_pool, v_pool=v_pool, k_new=k_new, v_new=v_new)
    _check_strides(k_pool=k_pool, v_pool=v_pool, k_new=k_new, v_new=v_new)
    if k_pool.shape != v_pool.shape or k_new.shape != v_new.shape or k_pool.shape[1:] != k_new.shape[1:]:
        shapes = f"pools {list(k_pool.shape)}, {list(v_pool.shape)}, new rows {list(k_new.shape)}, {list(v_new.shape)}"
        raise ValueError(f"{shapes} do not fit; give pools [S, Hkv, D] and new rows [M, Hkv, D]")
    if len(k_new) != len(commit.where):
        raise ValueError(f"{len(k_new)} new rows have {len(commit.where)} places; give one place a row")
    if commit.end > len(k_pool):
        raise ValueError(f"row {commit.end - 1} lies outside the pool of {len(k_pool)} rows; grow the pool first")
    if commit.rotary_dim > k_pool.shape[2]:
        raise ValueError(f"{commit.rotary_dim} channels turn in heads of {k_pool.shape[2]}; give a smaller rotary_dim")


def _check_head(hidden: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    _check_types(hidden=hidden, weight=weight, **({"bias": bias} if bias is not None else {}))
    if hidden.dim() != 2 or weight.dim() != 2 or hidden.shape[1] != weight.shape[1]:
        raise ValueError(
            f"hidden {list(hidden.shape)} and weight {list(weight.shape)} do not fit; give [T, C] and [V, C]"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"bias is {list(bias.shape)} for {len(weight)} words; give one number a word")


def _check_rows(count: int, dtype: torch.dtype, **tensors: Tensor | None) -> None:
    """ValueError unless all that are given have one number of `dtype` for each row."""
    for name, tensor in tensors.items():
        if tensor is not None and tensor.shape != (count,):
            raise ValueError(f"{name} is {list(tensor.shape)} for {count} rows; give one number a row")
        if tensor is not None and tensor.dtype != dtype:
            raise ValueError(f"{name} is {tensor.dtype}; give {str(dtype).removeprefix('torch.')}")


def _check_words(allowed: Allowed | None, words: int) -> None:
    if allowed is not None and not 0 <= allowed.least <= allowed.most < words:
        wrong = allowed.most if allowed.least >= 0 else allowed.least
        raise ValueError(f"word {wrong} is allowed and there are {words}; allow words from 0 to {words - 1}")
