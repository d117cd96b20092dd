"""Cross-entropy of masked rows, in plain torch: the definition, by autograd over whole logits."""

from __future__ import annotations

import torch
from torch import Tensor

from ..words import Allowed


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
    """See `palimpsest.kernels.ops.masked_loss`. Rows left out are never multiplied; the logits of the others are made at once."""
    rows = torch.arange(len(hidden), device=hidden.device) if where is None else where.nonzero()[:, 0]
    exact = hidden.dtype if hidden.dtype == torch.float64 else torch.float32
    logits = hidden[rows].to(exact) @ weight.to(exact).T
    if bias is not None:
        logits = logits + bias.to(exact)
    if softcap:
        logits = softcap * (logits / softcap).tanh()
    if allowed is not None:
        logits = logits.where(_is_allowed(allowed, rows, len(weight)), -torch.inf)
    each = torch.nn.functional.cross_entropy(logits, target[rows], reduction="none")
    return (each if row_weight is None else each * row_weight[rows]).sum()


def _is_allowed(allowed: Allowed, rows: Tensor, words: int) -> Tensor:
    """[rows, V] bool."""
    inside = torch.zeros(len(allowed.free), words, dtype=torch.bool, device=rows.device)
    inside[torch.repeat_interleave(allowed.offsets.long().diff()), allowed.ids.long()] = True
    return (inside | allowed.free[:, None])[rows]
