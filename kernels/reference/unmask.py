"""The best word of each row, in plain torch, a stretch of the vocabulary at a time: the definition."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..words import Allowed, Unmasked, gumbel, inside_of

STRETCH = 4096  # words of one stretch


@dataclass
class Running:
    """What is known of each row [R] so far: largest logit, sums of exp and logit * exp beside it, the two best, the pick."""

    peak: Tensor
    total: Tensor
    moment: Tensor
    best: Tensor
    second: Tensor
    pick: Tensor  # the largest score: the logit itself, or tempered and with noise
    logit: Tensor  # of the word picked
    token: Tensor


def unmask(
    hidden: Tensor,
    weight: Tensor,
    places: Tensor,
    *,
    bias: Tensor | None,
    allowed: Allowed | None,
    temperature: float,
    seed: int,
    softcap: float,
) -> Unmasked:
    """See `palimpsest.kernels.ops.unmask`; `hidden` [R, C] are the rows that `places` [R] are read off."""
    lowest = torch.full((len(hidden),), -torch.inf, device=hidden.device)
    zero, nothing = torch.zeros_like(lowest), torch.full((len(hidden),), -1, device=hidden.device)
    run = Running(lowest, zero, zero, lowest, lowest, lowest, lowest, nothing)
    for start in range(0, len(weight), STRETCH):
        ids = torch.arange(start, min(start + STRETCH, len(weight)), device=hidden.device)
        logits = _logits(hidden, weight, bias, ids, softcap)
        if allowed is not None:
            logits = logits.where(inside_of(allowed, ids), -torch.inf)
        score = logits / temperature + gumbel(seed, places, ids) if temperature else logits
        run = _fold(run, logits, score, ids)
    return _figures(run)


def _logits(hidden: Tensor, weight: Tensor, bias: Tensor | None, ids: Tensor, softcap: float) -> Tensor:
    stretch = slice(int(ids[0]), int(ids[-1]) + 1)
    logits = hidden.float() @ weight[stretch].float().T
    if bias is not None:
        logits = logits + bias[stretch].float()
    return softcap * (logits / softcap).tanh() if softcap else logits


def _fold(run: Running, logits: Tensor, score: Tensor, ids: Tensor) -> Running:
    two = logits.topk(min(2, logits.shape[1]), 1).values
    best, second = two[:, 0], two[:, 1] if two.shape[1] > 1 else torch.full_like(two[:, 0], -torch.inf)
    peak = torch.maximum(run.peak, best)
    base = peak.where(peak > -torch.inf, 0)
    power, fade = (logits - base[:, None]).exp(), (run.peak - base).exp()
    best_score = score.max(1, keepdim=True).values
    column = torch.arange(score.shape[1], device=score.device)
    at = (
        column.where(score == best_score, score.shape[1]).min(1).values
    )  # the first of equal ones, which argmax does not promise
    pick = score.gather(1, at[:, None])[:, 0]
    better = pick > run.pick
    return Running(
        peak,
        run.total * fade + power.sum(1),
        run.moment * fade + (logits.where(power > 0, 0) * power).sum(1),
        torch.maximum(run.best, best),
        torch.maximum(torch.minimum(run.best, best), torch.maximum(run.second, second)),
        torch.where(better, pick, run.pick),
        torch.where(better, logits.gather(1, at[:, None])[:, 0], run.logit),
        torch.where(better, ids[at], run.token),
    )


def _figures(run: Running) -> Unmasked:
    possible = run.token >= 0
    norm = run.peak + run.total.log()
    entropy = (norm - run.moment / run.total).clamp_min(0)
    figures = [(run.logit - norm).exp(), entropy, (run.best - norm).exp() - (run.second - norm).exp()]
    prob, entropy, margin = (t.where(possible, 0) for t in figures)
    return Unmasked(run.token, prob, entropy, margin)
