"""The embedded denoiser: all-MiniLM-L6-v2 with block attention, typed masks and a latent-span copy head.

A slot's distribution is the mixture  p(words) = g * sum_{j,e} p(j, e) [words = evidence j..e] + (1 - g) * p_vocabulary(words):
the span (j, e) is latent, so one step settles all places of a slot together (the argument of Di4C, arXiv 2410.08709), its
length decides how many places are deleted, and a copied word always has a source.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..canvas.canvas import Canvas, Role, Segment
from ..canvas.tokenizer import FIRST_PASSAGE_ROW, MAX_PASSAGES
from .quality import QualityHead
from .transformer import embedding


@dataclass(frozen=True)
class EmbeddedConfig:
    vocabulary: int = 30522
    width: int = 384
    layers: int = 6
    heads: int = 12
    feed_forward: int = 1536
    positions: int = 512
    roles: int = 3
    kinds: int = 8
    norm_epsilon: float = 1e-12
    max_span: int = 16  # tokens of the longest copied span
    quality: int = 0  # hidden units of the quality head; 0 for a model without

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


@dataclass(frozen=True)
class Batch:
    """Canvases side by side, padded: tokens, positions, roles, kinds [B, T] int64; block [B, T] int64, -1 where padded."""

    tokens: Tensor
    positions: Tensor
    roles: Tensor
    kinds: Tensor
    block: Tensor
    joint: bool = False  # every token sees every other: for the ablation of block attention

    @staticmethod
    def of(canvases: Sequence[Canvas], parts: Sequence[Sequence[Segment]] | None = None) -> Batch:
        """Whole canvases, or of each the segments in `parts` alone."""
        rows = [_rows(c, parts[n] if parts else c.segments) for n, c in enumerate(canvases)]

        def pad(name: str, value: int = 0) -> Tensor:
            columns = [getattr(c, name)[r].long() for c, r in zip(canvases, rows, strict=True)]
            return nn.utils.rnn.pad_sequence(columns, batch_first=True, padding_value=value)

        return Batch(pad("tokens"), pad("positions"), pad("roles"), pad("kinds"), pad("block", -1))

    def visible(self) -> Tensor:
        """[B, 1, T, T] bool: the question sees itself, a passage the question and itself, the draft everything."""
        key, query = self.block[:, None, :], self.block[:, :, None]
        from_draft = (self.roles == Role.DRAFT)[:, :, None] & (query >= 0)
        to_question = (self.roles == Role.QUESTION)[:, None, :]
        seen = ((key == query) | from_draft | to_question | self.joint) & (key >= 0)
        # A padded row must see something, or its softmax is not a number.
        return (seen | (query < 0))[:, None]


@dataclass(frozen=True)
class Strip:
    """Parts of canvases one behind the other, nothing padded: tokens, positions, roles, kinds [N] int64, and the size of each part."""

    tokens: Tensor
    positions: Tensor
    roles: Tensor
    kinds: Tensor
    sizes: tuple[int, ...]

    @staticmethod
    def of(parts: Sequence[tuple[Canvas, Sequence[Segment]]]) -> Strip:
        """Of each canvas the segments named beside it, as one part."""
        rows = [_rows(canvas, segments) for canvas, segments in parts]

        def row(name: str) -> Tensor:
            return torch.cat([getattr(c, name)[r].long() for (c, _), r in zip(parts, rows, strict=True)])

        return Strip(row("tokens"), row("positions"), row("roles"), row("kinds"), tuple(map(len, rows)))


def _rows(canvas: Canvas, segments: Sequence[Segment]) -> Tensor:
    return torch.cat([torch.arange(s.start, s.end) for s in segments])


KeyValues = list[tuple[Tensor, Tensor]]
Seen = Sequence[Sequence[KeyValues | int]]
"""What each part of a strip looks at ahead of itself: keys and values [H, n, D] of every layer, or the number of another part."""


class Layer(nn.Module):
    """A post-norm transformer layer (BERT's)."""

    def __init__(self, config: EmbeddedConfig):
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.dropout = 0.0  # of training; nothing is dropped in eval()
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, config.norm_epsilon)
        self.up = nn.Linear(width, config.feed_forward)
        self.down = nn.Linear(config.feed_forward, width)
        self.output_norm = nn.LayerNorm(width, config.norm_epsilon)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(-3, -2)  # [B, H, T, D], or of a strip [H, N, D]

    def forward(self, x: Tensor, visible: Tensor | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """x [B, T, C] attends to itself where `visible`; returns the new x and its keys and values [B, H, T, D]."""
        keys, values = own = (self._split(self.key(x)), self._split(self.value(x)))
        mixed = F.scaled_dot_product_attention(self._split(self.query(x)), keys, values, attn_mask=visible)
        return self._settled(x, mixed), own

    def along(
        self, x: Tensor, sizes: Sequence[int], seen: Sequence[Sequence[tuple[Tensor, Tensor] | int]]
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """x [N, C], parts of these `sizes`; each attends to what it has `seen` and to itself. The new x, and each part's own K/V."""
        queries, *rest = (self._split(f(x)).split(tuple(sizes), 1) for f in (self.query, self.key, self.value))
        own = list(zip(*rest, strict=True))
        mixed = []
        for query, itself, ahead in zip(queries, own, seen, strict=True):
            looked_at = [*(own[a] if isinstance(a, int) else a for a in ahead), itself]
            keys, values = (torch.cat(side, 1) for side in zip(*looked_at, strict=True))
            mixed.append(F.scaled_dot_product_attention(query[None], keys[None], values[None])[0])
        return self._settled(x, torch.cat(mixed, 1)), own

    def _settled(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = self.attention_norm(x + self._dropped(self.output(mixed.transpose(-3, -2).flatten(-2))))
        settled: Tensor = self.output_norm(x + self._dropped(self.down(F.gelu(self.up(x)))))
        return settled

    def _dropped(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout) if self.training and self.dropout else x


class EmbeddedModel(nn.Module):
    """Body and heads. `forward` is the plain pass over whole canvases; `rows` its twin over what was kept, without padding."""

    def __init__(self, config: EmbeddedConfig = EmbeddedConfig()):
        super().__init__()
        self.config = config
        width = config.width
        self.words = embedding(config.vocabulary, width)
        self.place = embedding(config.positions, width)
        self.role = embedding(config.roles, width)
        self.kind = embedding(config.kinds, width)
        self.input_norm = nn.LayerNorm(width, config.norm_epsilon)
        self.body = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.span_query = nn.Linear(width, 2 * width)  # start and end queries, from the first place of a slot
        self.span_key = nn.Linear(width, 2 * width)
        self.gate = nn.Linear(width, 1)
        self.transform = nn.Linear(width, width)
        self.transform_norm = nn.LayerNorm(width, config.norm_epsilon)
        self.bias = nn.Parameter(torch.zeros(config.vocabulary))
        self.quality = QualityHead(width, config.quality) if config.quality else None

    def embed(self, tokens: Tensor, positions: Tensor, roles: Tensor, kinds: Tensor) -> Tensor:
        return self.input_norm(self.words(tokens) + self.place(positions) + self.role(roles) + self.kind(kinds))

    def forward(self, batch: Batch) -> Tensor:
        """Hidden states [B, T, C] of whole canvases; padded places hold nothing of meaning."""
        x = self.embed(batch.tokens, batch.positions, batch.roles, batch.kinds)
        visible = batch.visible()
        for layer in self.body:
            x, _ = layer(x, visible)
        return x

    def rows(self, strip: Strip, seen: Seen) -> tuple[Tensor, list[KeyValues]]:
        """Hidden states [N, C] of a strip, and of each part its keys and values [H, n, D] of every layer.

        A part looks at itself and ahead of that at what it has `seen`, so questions, passages that look at them, and drafts that look
        at both are one pass: small matrices cost what they cost to start.
        """
        x = self.embed(strip.tokens, strip.positions, strip.roles, strip.kinds)
        kept: list[KeyValues] = [[] for _ in strip.sizes]
        for number, layer in enumerate(cast(Sequence[Layer], self.body)):
            ahead = [[a if isinstance(a, int) else a[number] for a in some] for some in seen]
            x, own = layer.along(x, strip.sizes, ahead)
            for part, pair in zip(kept, own, strict=True):
                part.append(pair)
        return x, kept

    def span_scores(self, slots: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Start and end scores [N, T] of slot states [N, C] against token states [N, T, C]."""
        return self.span_scores_of(slots, self.span_keys(tokens))

    def span_keys(self, tokens: Tensor) -> Tensor:
        """What slots are compared with, [..., T, 2, C], of token states [..., T, C]."""
        return self.span_key(tokens).unflatten(-1, (2, -1))

    def span_scores_of(self, slots: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Start and end scores [N, T] of slot states [N, C] against keys [N, T, 2, C]."""
        queries = self.span_query(slots).unflatten(-1, (2, -1))  # [N, 2, C]
        scores = torch.einsum("nsc,ntsc->nst", queries, keys) / self.config.width**0.5
        return scores[:, 0], scores[:, 1]

    def joint(self, start: Tensor, end: Tensor, allowed: Tensor, longest: int | None = None) -> Tensor:
        """Log-probabilities [N, T, L] of the spans (j, j + l), from scores [N, T]; a span is a run of allowed tokens.

        `allowed` [N, T] is -1 where nothing may be copied and else the number of the block that the token stands in.
        """
        length = min(longest or self.config.max_span, self.config.max_span)
        ends = F.pad(end, (0, length - 1), value=0.0).unfold(1, length, 1)  # [N, T, L]
        blocks = F.pad(allowed, (0, length - 1), value=-1).unfold(1, length, 1)
        legal = (blocks == allowed[:, :, None]) & (allowed >= 0)[:, :, None]
        scores = (start[:, :, None] + ends).masked_fill(~legal, -torch.inf)
        return scores - scores.flatten(1).logsumexp(1)[:, None, None]

    def vocabulary(self, states: Tensor) -> Tensor:
        """Logits [..., V] over the tied vocabulary."""
        return self.transformed(states) @ self.words.weight.T + self.bias

    def chosen(self, states: Tensor, rows: Tensor) -> Tensor:
        """Logits [..., R] of some rows of the vocabulary: the whole of it takes a hundred times as long for a handful of answers."""
        return self.transformed(states) @ self.words.weight[rows].T + self.bias[rows]

    def transformed(self, states: Tensor) -> Tensor:
        """States [..., C] as they are held against the rows of the vocabulary."""
        normed: Tensor = self.transform_norm(F.gelu(self.transform(states)))
        return normed

    def copy_share(self, slots: Tensor) -> Tensor:
        """Log-odds [N] that a slot's words are copied from evidence rather than taken from the vocabulary."""
        return self.gate(slots).squeeze(-1)


def copyable(batch: Batch, markers: bool) -> Tensor:
    """[B, T] int64: the block of each token that a slot may copy, -1 elsewhere; with `markers` the passage openers instead."""
    opener = (batch.tokens >= FIRST_PASSAGE_ROW) & (batch.tokens < FIRST_PASSAGE_ROW + MAX_PASSAGES)
    opener &= torch.cat([torch.ones_like(opener[:, :1]), batch.block[:, 1:] != batch.block[:, :-1]], 1)
    last = torch.cat([batch.block[:, 1:] != batch.block[:, :-1], torch.ones_like(opener[:, :1])], 1)
    evidence = (batch.roles == Role.EVIDENCE) & (batch.block >= 0)
    wanted = evidence & opener if markers else evidence & ~opener & ~last
    return torch.where(wanted, batch.block, -1)
