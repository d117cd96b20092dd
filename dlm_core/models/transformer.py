"""The one bidirectional transformer body that every open family is a configuration of.

Rows meet only in attention. So a forward is over rows, [N, C], of whatever canvases: `attend` mixes them, and may mix in kept state.
Pre-norm, rotary positions (half-split pairing), gated feed-forward or experts; no family needs more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .rope import Rotary, Stretch

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]  # layer, q [N, Hq, D], k, v [N, Hkv, D] -> [N, Hq, D]


@dataclass(frozen=True)
class ExpertConfig:
    """A mixture: `count` experts of inner size `width`, `per_token` of them used, chosen among the best `groups_kept` of `groups`.

    `score` is "softmax" or "sigmoid" over the router's logits; `biased` adds a stored bias to what is compared (and, for softmax,
    to the weight itself, as the LLaDA-MoE reference does); `normalised` makes the weights sum to one before `scaling`. The first
    `dense_layers` layers have no experts; `shared_width` is the inner size of the part that every token passes.
    """

    count: int
    per_token: int
    width: int
    score: str = "softmax"
    groups: int = 1
    groups_kept: int = 1
    biased: bool = False
    normalised: bool = False
    scaling: float = 1.0
    shared_width: int = 0
    dense_layers: int = 0


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes and the facts of diffusion, as read from a checkpoint's config.json (`families`)."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    mask: int  # the token id that the model was trained to see in an open place
    end: int  # the token that ends an answer, and fills surplus places
    expand: int | None = (
        None  # the token that asks for one more place (DreamOn, arXiv 2602.01326), where the model has it
    )
    norm_epsilon: float = 1e-6
    rope_theta: float = 10000.0
    rotary_width: int = 0  # of a head; 0: all of it
    stretch: Stretch | None = None
    qkv_bias: bool = False
    output_bias: bool = False
    qk_norm: bool = False
    clip: float = 0.0  # of queries, keys and values; 0: none
    tied: bool = False
    shift: int = 0  # 1: the word at a place is read off the row before it (Dream, Fast-dLLM v2)
    block_length: int = 0  # rows see their own block and the earlier ones; 0: everything
    max_positions: int = 4096
    experts: ExpertConfig | None = None


def embedding(rows: int, width: int) -> nn.Embedding:
    """nn.Embedding, its start drawn only where there is memory for it.

    To draw on the meta device torch imports 890 modules of its compiler, a second and 130 MB for nothing.
    """
    table = nn.Embedding(rows, width, _weight=torch.empty(rows, width))
    if not table.weight.is_meta:
        table.reset_parameters()
    return table


@dataclass(frozen=True)
class RowState:
    """The keys and values that a model has of a row: `heads` of `width` numbers, a layer on each of `devices`."""

    heads: int
    width: int
    dtype: torch.dtype
    devices: tuple[torch.device, ...]


class Norm(nn.Module):
    """Root mean square norm, in fp32."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return self.weight * (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.epsilon)).to(x.dtype)


class Attention(nn.Module):
    def __init__(self, config: TransformerConfig, rotary: Rotary):
        super().__init__()
        self.rotary, self.clip = rotary, config.clip
        self.head_width = config.head_width
        self.query = nn.Linear(config.width, config.heads * config.head_width, config.qkv_bias)
        self.key = nn.Linear(config.width, config.kv_heads * config.head_width, config.qkv_bias)
        self.value = nn.Linear(config.width, config.kv_heads * config.head_width, config.qkv_bias)
        self.output = nn.Linear(config.heads * config.head_width, config.width, config.output_bias)
        norm = (lambda: Norm(config.head_width, config.norm_epsilon)) if config.qk_norm else nn.Identity
        self.query_norm, self.key_norm = norm(), norm()

    def forward(self, layer: int, x: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        q, k, v = (p(x).unflatten(-1, (-1, self.head_width)) for p in (self.query, self.key, self.value))
        q, k = self.query_norm(q), self.key_norm(k)
        if self.clip:
            q, k, v = (t.clamp(-self.clip, self.clip) for t in (q, k, v))
        return self.output(attend(layer, self.rotary(q, positions), self.rotary(k, positions), v).flatten(-2))


class Gated(nn.Module):
    """down(silu(gate(x)) * up(x))."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate = nn.Linear(width, inner, bias=False)
        self.up = nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.silu(self.gate(x)) * self.up(x))


class Experts(nn.Module):
    """A router, and the experts' matrices stacked: gate and up [E, I, C], down [E, C, I]."""

    def __init__(self, width: int, config: ExpertConfig):
        super().__init__()
        self.config = config
        self.router = nn.Linear(width, config.count, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.count), requires_grad=False) if config.biased else None
        self.gate = nn.Parameter(torch.empty(config.count, config.width, width))
        self.up = nn.Parameter(torch.empty(config.count, config.width, width))
        self.down = nn.Parameter(torch.empty(config.count, width, config.width))
        self.shared = Gated(width, config.shared_width) if config.shared_width else None
        for matrix in (self.gate, self.up, self.down):
            if not matrix.is_meta:
                nn.init.normal_(matrix, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        chosen, weights = self.route(x)  # [N, K]
        mixed = torch.zeros_like(x, dtype=torch.float32)
        for expert in chosen.unique().tolist():
            rows, rank = (chosen == expert).nonzero(as_tuple=True)
            inner = F.silu(x[rows] @ self.gate[expert].T) * (x[rows] @ self.up[expert].T)
            mixed.index_add_(0, rows, (inner @ self.down[expert].T).float() * weights[rows, rank, None])
        out = mixed.to(x.dtype)
        return out if self.shared is None else out + self.shared(x)

    def route(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The experts [N, K] of each row and their weights [N, K] in fp32."""
        config = self.config
        logits = F.linear(x.float(), self.router.weight.float())
        scores = logits.sigmoid() if config.score == "sigmoid" else logits.softmax(-1)
        compared = scores if self.bias is None else scores + self.bias.float()
        chosen = _best_groups(compared, config).topk(config.per_token, -1).indices
        # LLaDA-MoE's reference weighs by the biased score, LLaDA2's by the plain one.
        weights = (scores if config.score == "sigmoid" else compared).gather(1, chosen)
        if config.normalised and config.per_token > 1:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return chosen, weights * config.scaling


def _best_groups(scores: Tensor, config: ExpertConfig) -> Tensor:
    """Scores with all but the best groups at -inf; a group is as good as the sum of its two best (DeepSeek-V3, arXiv 2412.19437)."""
    if config.groups <= 1:
        return scores
    grouped = scores.unflatten(-1, (config.groups, -1))
    best = grouped.topk(2, -1).values.sum(-1).topk(config.groups_kept, -1).indices
    kept = torch.zeros(grouped.shape[:-1], dtype=torch.bool, device=scores.device).scatter(-1, best, True)
    return grouped.masked_fill(~kept[..., None], -torch.inf).flatten(-2)


class Block(nn.Module):
    def __init__(self, number: int, config: TransformerConfig, rotary: Rotary):
        super().__init__()
        self.number = number
        self.attention_norm = Norm(config.width, config.norm_epsilon)
        self.attention = Attention(config, rotary)
        self.feed_norm = Norm(config.width, config.norm_epsilon)
        sparse = config.experts is not None and number >= config.experts.dense_layers
        self.feed: nn.Module = (
            Experts(config.width, config.experts)
            if sparse and config.experts
            else Gated(config.width, config.feed_forward)
        )

    def forward(self, x: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        x = x + self.attention(self.number, self.attention_norm(x), positions, attend)
        return x + self.feed(self.feed_norm(x))

    @property
    def device(self) -> torch.device:
        return self.attention_norm.weight.device


class Transformer(nn.Module):
    """Embedding, blocks, final norm and head: a `denoisers.hosted.HostedBody`. Blocks may lie on several devices."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.block_length, self.shift = config.block_length, config.shift
        self.rotary = Rotary(config.rotary_width or config.head_width, config.rope_theta, config.stretch)
        self.embedding = embedding(config.vocabulary, config.width)
        self.blocks = nn.ModuleList(Block(n, config, self.rotary) for n in range(config.layers))
        self.norm = Norm(config.width, config.norm_epsilon)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        if config.tied:
            self.head.weight = self.embedding.weight

    def embed(self, tokens: Tensor) -> Tensor:
        return self.embedding(tokens.to(self.embedding.weight.device))

    def rows(self, x: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Hidden states [N, C] after the final norm of rows x [N, C] at positions [N]."""
        for block in self.blocks:
            assert isinstance(block, Block)
            x = block(x.to(block.device), positions, attend)
        return self.norm(x.to(self.norm.weight.device))

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., V] of hidden states [..., C]; a shifted family's caller hands in the row before."""
        return self.head(hidden.to(self.head.weight.device))

    @property
    def head_weight(self) -> Tensor:
        return self.head.weight

    @property
    def row_state(self) -> RowState:
        """What a store of rows must have room for, each layer's on the layer's device."""
        devices = tuple(block.device for block in self.blocks if isinstance(block, Block))
        return RowState(self.config.kv_heads, self.config.head_width, self.norm.weight.dtype, devices)
