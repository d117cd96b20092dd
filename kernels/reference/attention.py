"""Attention of ragged live rows over pooled keys and values, in plain torch: the definition."""

from __future__ import annotations

import torch
from torch import Tensor

from ..visibility import Layout, pool_rows, visible


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
    """See `palimpsest.kernels.ops.attention`; one canvas after the other, with the mask written out."""
    out = torch.zeros_like(q)
    for rows, extents in layout.canvases():
        where = pool_rows(extents, k.device)
        seen = visible(layout.rows.at(rows), layout.keys.at(where), layout.visibility, layout.window)
        alive = seen.any(0)[:, None, None]
        keys, values = k[where].where(alive, 0), v[where].where(alive, 0)  # dead rows may hold NaN, and 0 * NaN is NaN
        weight, total = _weights(q[rows], keys, seen, q.shape[-1] ** -0.5 if scale is None else scale, softcap)
        out[rows] = _mixed(weight, values).to(q.dtype)
        if lse is not None:
            lse[rows] = total
    return out


def _weights(q: Tensor, k: Tensor, seen: Tensor, scale: float, softcap: float) -> tuple[Tensor, Tensor]:
    """Attention weights [Hkv, group, rows, keys] and log-sum-exp [rows, Hq], both fp32."""
    grouped = q.float().unflatten(1, (k.shape[1], -1))  # [rows, Hkv, group, D]
    scores = torch.einsum("rhgd,khd->hgrk", grouped, k.float()) * scale
    if softcap:
        scores = softcap * (scores / softcap).tanh()
    scores = scores.where(seen, float("-inf"))
    total = scores.logsumexp(-1)
    weight = (scores - total.masked_fill(total.isneginf(), 0)[..., None]).exp()
    return weight, total.permute(2, 0, 1).flatten(1)


def _mixed(weight: Tensor, v: Tensor) -> Tensor:
    return torch.einsum("hgrk,khd->rhgd", weight, v.float()).flatten(1, 2)
