"""Writing new keys and values into a pool and turning cached keys, in plain torch: the definition."""

from __future__ import annotations

from torch import Tensor

from ..commit import Commit


def kv_commit(k_pool: Tensor, v_pool: Tensor, k_new: Tensor, v_new: Tensor, commit: Commit) -> None:
    """See `palimpsest.kernels.ops.kv_commit`."""
    k_pool[commit.where], v_pool[commit.where] = k_new, v_new
    first, second = commit.pairs
    key = k_pool[commit.rows]  # [R, Hkv, D]
    x, y = key[..., first].float(), key[..., second].float()
    cos, sin = commit.cos[commit.turns][:, None], commit.sin[commit.turns][:, None]
    key[..., first], key[..., second] = (x * cos - y * sin).to(key.dtype), (y * cos + x * sin).to(key.dtype)
    k_pool[commit.rows] = key
