"""The quality head: whether what stands in a slot, or would be written there, is right."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NUM_FEATURES = 8


class QualityHead(nn.Module):
    """A small perceptron on frozen states, trained last and on the model's own fillings (DSC, arXiv 2601.06428; PRISM, 2510.01384)."""

    def __init__(self, width: int, hidden: int = 128):
        super().__init__()
        self.norm = nn.LayerNorm(2 * width)
        self.up = nn.Linear(2 * width + NUM_FEATURES, hidden)
        self.down = nn.Linear(hidden, 1)

    def forward(self, states: Tensor, features: Tensor) -> Tensor:
        """Log-odds [N] that a filling is right, from states [N, 2C] (the slot's first place; what it points at) and features [N, 8]."""
        log_odds: Tensor = self.down(F.gelu(self.up(torch.cat([self.norm(states), features], -1)))).squeeze(-1)
        return log_odds


def features(spans: Tensor, none: Tensor, standing: Tensor, gate: Tensor, stands: bool) -> Tensor:
    """[8] of a slot: `spans` [P, L] and `none` are log-probabilities, `standing` that of the words that stand there.

    They are: whether words stand there; the best log-probability; its lead; the entropy (nats); that of the words that stand there,
    and whether it is the best; the log-odds of a copy; the length of the best span.
    """
    flat = torch.cat([spans.flatten(), none[None]])
    two, index = flat.topk(min(2, flat.numel()))
    second = two[1] if len(two) > 1 else two[0]
    power = flat.exp()
    entropy = -(power * flat.clamp_min(-1e4)).sum()
    length = torch.tensor(float(int(index[0]) % spans.shape[1] + 1) if int(index[0]) < spans.numel() else 0.0)
    standing = standing if stands else two[0]
    signs = [
        torch.tensor(float(stands)),
        two[0],
        two[0] - second,
        entropy,
        standing,
        (standing >= two[0]).float(),
        gate,
        length,
    ]
    scale = torch.tensor([1.0, 0.2, 0.2, 0.3, 0.2, 1.0, 0.2, 0.1])
    return torch.stack([t.float() for t in signs]).nan_to_num(0.0).clamp(-30, 30) * scale


def standing(spans: Tensor, none: Tensor, evidence: Tensor, words: Tensor, is_none: bool) -> Tensor:
    """The log-probability of the `words` [K] that stand in a slot: of all spans of `evidence` [P] that read so, or of no answer."""
    length = words.numel()
    if is_none:
        return none
    if not 0 < length <= min(spans.shape[1], evidence.numel()):
        return torch.tensor(-30.0)
    same = (evidence.unfold(0, length, 1) == words).all(1)
    found = spans[: same.numel(), length - 1][same]
    return found.logsumexp(0).clamp_min(-30) if found.numel() else torch.tensor(-30.0)
