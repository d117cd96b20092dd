"""Cross-entropy of masked rows, in plain torch: the definition, by autograd over whole logits."""

from __future__ import annotations

import torch
from torch import Tensor

from ..words import Allowed, check_targets, inside_of


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
        logits = logits.where(inside_of(allowed, torch.arange(len(weight), device=rows.device))[rows], -torch.inf)
    each = torch.nn.functional.cross_entropy(logits, target[rows], reduction="none")
    if allowed is not None:
        check_targets(each, rows)
    return (each if row_weight is None else each * row_weight[rows]).sum()
