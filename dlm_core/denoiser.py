"""The embedded model at work: canvases in, guesses, ranked spans and choices out. Words it copies come from legal places only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from .canvas import Canvas, Fill, Role, Slot
from .kinds import MaskKind
from .losses import copyable
from .models.embedded import Batch, EmbeddedModel, KeyValues
from .sampler import Guess
from .tokenizer import DELETE, NONE, Tokenizer

_OPENING, _CLOSING = set("$£€#~≈+-−<>≥≤"), set("%)'\"+°’")
_HAS_FIGURE = re.compile(
    r"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|dozen|hundred|thousand|million|billion)\b", re.I
)


@dataclass(frozen=True)
class Context:
    """Question and evidence of some canvases, encoded once: hidden states [B, P, C], keys and values, what may be copied."""

    batch: Batch
    hidden: Tensor
    past: KeyValues
    limits: list[Limits]


@dataclass(frozen=True)
class Limits:
    """Where a copied span may start and end, [P] bool, and which tokens are figures or open a name, [P] bool."""

    start: Tensor
    end: Tensor
    figure: Tensor
    capital: Tensor


class Ranked(NamedTuple):
    """A filling of a slot and its probability; `fill` None stands for [NONE], no answer in the evidence."""

    fill: Fill | None
    probability: float
    place: tuple[int, int] | None


class Denoiser:
    """The embedded model and its tokenizer; implements `sampler.Model`."""

    def __init__(self, model: EmbeddedModel, tokenizer: Tokenizer):
        self.model = model.eval()
        self.tokenizer = tokenizer

    @torch.inference_mode()
    def prepare(self, canvases: Sequence[Canvas]) -> Context:
        heads = [_before_draft(c) for c in canvases]
        batch = Batch.of(heads)
        hidden, past = self.model.context(batch)
        return Context(batch, hidden, past, [limits(c) for c in heads])

    @torch.inference_mode()
    def guess(self, canvases: Sequence[Canvas], context: Context | None = None) -> list[Guess]:
        return [self._guess(c, scored) for c, scored in zip(canvases, self._score(canvases, context), strict=True)]

    @torch.inference_mode()
    def rank(self, canvases: Sequence[Canvas], slot: int, k: int) -> list[list[Ranked]]:
        """For each canvas, the `k` likeliest fillings of a copying slot that do not overlap, and [NONE], the likeliest first."""
        return [self._rank(c, s[slot], k) for c, s in zip(canvases, self._score(canvases, None), strict=True)]

    @torch.inference_mode()
    def choices(self, canvases: Sequence[Canvas], slot: int) -> list[list[float]]:
        """For each canvas, the probabilities of the allowed answers of a CHOICE slot, in their order."""
        return [s[slot].choice.exp().tolist() for s in self._score(canvases, None)]

    def _score(self, canvases: Sequence[Canvas], context: Context | None) -> list[list[_Scored]]:
        """The distribution of every slot of every canvas."""
        if context is None:
            hidden = self.model(Batch.of(canvases))
            bounds = [_draft_start(c) for c in canvases]
            rows = [
                (hidden[i, :b], hidden[i, b : len(c)]) for i, (b, c) in enumerate(zip(bounds, canvases, strict=True))
            ]
            found = [limits(_before_draft(c)) for c in canvases]
        else:
            drafts = [_only_draft(c) for c in canvases]
            states = self.model.draft(Batch.of(drafts), context.past, context.batch.block >= 0)
            lengths = [_draft_start(c) for c in canvases]
            rows = [
                (context.hidden[i, :n], states[i, : len(d)])
                for i, (n, d) in enumerate(zip(lengths, drafts, strict=True))
            ]
            found = context.limits
        return [
            [self._slot(canvas, slot, evidence, draft, limit) for slot in canvas.slots]
            for canvas, (evidence, draft), limit in zip(canvases, rows, found, strict=True)
        ]

    def _slot(self, canvas: Canvas, slot: Slot, evidence: Tensor, draft: Tensor, limit: Limits) -> _Scored:
        offset = evidence.shape[0]
        states = draft[slot.start - offset : slot.end - offset]  # [K, C]
        kind = slot.spec.kind
        if kind is MaskKind.CHOICE:
            rows = torch.tensor([self.tokenizer.row(a) for a in slot.spec.allowed])
            return _Scored(choice=self.model.vocabulary(states[0])[rows].log_softmax(-1), rows=rows)
        if kind is MaskKind.LOGIC:
            return _Scored(words=self.model.vocabulary(states).log_softmax(-1))
        cite = kind is MaskKind.CITE
        allowed = copyable(Batch.of([_before_draft(canvas)]), cite)  # [1, P]
        start, end = self.model.span_scores(states[:1], evidence[None])
        joint = self.model.joint(start, end, allowed, 1 if cite else slot.end - slot.start)[0]  # [P, L]
        if cite:
            return _Scored(spans=joint, none=torch.tensor(-torch.inf))
        joint = legal(joint, limit, kind)
        gate = self.model.copy_share(states[:1])[0]
        none = torch.tensor(-torch.inf) if slot.spec.required else torch.nn.functional.logsigmoid(-gate)
        spans = joint - joint.flatten().logsumexp(0) + torch.nn.functional.logsigmoid(gate)
        return _Scored(spans=spans.nan_to_num(nan=-torch.inf), none=none)

    def _guess(self, canvas: Canvas, scored: list[_Scored]) -> Guess:
        size = len(canvas)
        token, source = canvas.tokens.clone(), torch.full((size,), -1)
        prob, entropy, margin = torch.zeros(size), torch.zeros(size), torch.zeros(size)
        for slot, score in zip(canvas.slots, scored, strict=True):
            where = slice(slot.start, slot.end)
            best = score.best(slot.end - slot.start, canvas)
            token[where], source[where] = best.tokens, best.source
            prob[where], entropy[where], margin[where] = best.prob, best.entropy, best.margin
        return Guess(token, prob, entropy, margin, source)

    def _rank(self, canvas: Canvas, scored: _Scored, k: int) -> list[Ranked]:
        if scored.spans is None:
            raise ValueError("only a slot that copies can be ranked; read a CHOICE with `choices`")
        width = scored.spans.shape[1]
        values, order = scored.spans.flatten().sort(descending=True, stable=True)
        kept: list[Ranked] = []
        for value, index in zip(values[: 40 * k].tolist(), order[: 40 * k].tolist(), strict=True):
            first, last = index // width, index // width + index % width
            overlaps = any(r.place and first <= r.place[1] and last >= r.place[0] for r in kept)
            if value > -50 and not overlaps and len(kept) < k:
                kept.append(Ranked(_copied(canvas, first, last), float(torch.tensor(value).exp()), (first, last)))
        kept.append(Ranked(None, float(scored.none.exp()), None))
        return sorted(kept, key=lambda r: -r.probability)


class _Best(NamedTuple):
    tokens: Tensor
    source: Tensor
    prob: float
    entropy: float
    margin: float


@dataclass(frozen=True)
class _Scored:
    """Log-probabilities of a slot: of spans [P, L] and of [NONE], of its allowed answers [A], or of words [K, V]."""

    spans: Tensor | None = None
    none: Tensor = field(default_factory=lambda: torch.tensor(-torch.inf))
    choice: Tensor = field(default_factory=lambda: torch.empty(0))
    rows: Tensor = field(default_factory=lambda: torch.empty(0))
    words: Tensor | None = None

    def best(self, length: int, canvas: Canvas) -> _Best:
        tokens, source = torch.full((length,), DELETE), torch.full((length,), -1)
        if self.words is not None:
            value, tokens = self.words.max(-1)
            spread = -(self.words[0].exp() * self.words[0]).sum()
            two = self.words[0].topk(2).values.exp()
            return _Best(tokens, source, float(value[0].exp()), float(spread), float(two[0] - two[1]))
        if self.spans is None:
            tokens[0] = self.rows[self.choice.argmax()]
            return _Best(tokens, source, *_summary(self.choice))
        everything = torch.cat([self.spans.flatten(), self.none[None]])
        index, width = int(everything.argmax()), self.spans.shape[1]
        if index == self.spans.numel() or everything[index] == -torch.inf:
            # Nothing may be copied: a required slot, a NUMBER say, over evidence without a figure, stays empty all the same.
            tokens[0] = NONE
        else:
            first, more = index // width, index % width
            source[: more + 1] = torch.arange(first, first + more + 1)
            tokens[: more + 1] = canvas.tokens[first : first + more + 1]
        return _Best(tokens, source, *_summary(everything))


def _summary(log_probabilities: Tensor) -> tuple[float, float, float]:
    """The best probability, the entropy and the margin of a distribution; all 0 where nothing is possible."""
    probabilities = log_probabilities.exp()
    two = probabilities.topk(min(2, probabilities.numel())).values
    entropy = -(probabilities * log_probabilities.clamp_min(-1e4)).sum()
    return float(two[0]), float(entropy), float(two[0] - two[-1]) if two.numel() > 1 else float(two[0])


def legal(joint: Tensor, limit: Limits, kind: MaskKind) -> Tensor:
    """Log-probabilities [P, L] with the spans a slot may not become at -inf: broken words, a NUMBER without a figure."""
    length = joint.shape[1]
    place = torch.arange(joint.shape[0])[:, None] + torch.arange(length)  # [P, L] the last token of each span
    inside = place.clamp_max(joint.shape[0] - 1)
    fine = limit.start[:, None] & limit.end[inside] & (place < joint.shape[0])
    if kind is MaskKind.NUMBER:
        figures = torch.cat([torch.zeros(1), limit.figure.float().cumsum(0)])
        fine &= (figures[inside + 1] - figures[:-1, None]) > 0
    if kind is MaskKind.ENTITY:
        fine &= limit.capital[:, None]
    return joint.masked_fill(~fine, -torch.inf)


def limits(canvas: Canvas) -> Limits:
    """The places of a canvas where a copied span may begin and end: at whole words, not at stray punctuation."""
    size = len(canvas)
    start, end, figure, capital = (torch.zeros(size, dtype=torch.bool) for _ in range(4))
    for segment in canvas.segments:
        if segment.role is not Role.EVIDENCE:
            continue
        text = segment.text
        for i, (a, b) in enumerate(canvas.characters[segment.start : segment.end].tolist(), segment.start):
            if a < 0:
                continue
            word = text[a:b]
            joined_before, joined_after = _joins(text, a), _joins(text, b)
            start[i] = not joined_before and (word[0].isalnum() or word in _OPENING)
            end[i] = not joined_after and (word[-1].isalnum() or word in _CLOSING)
            figure[i] = bool(_HAS_FIGURE.search(word))
            capital[i] = word[0].isdigit() or any(c.isupper() for c in text[a : a + 4].split(" ")[0])
    return Limits(start, end, figure, capital)


def _joins(text: str, at: int) -> bool:
    """Whether the characters on both sides of `at` are one word or one figure (1,288 and 0.7 are)."""
    left, right = text[max(at - 2, 0) : at], text[at : at + 2]
    if not left or not right:
        return False
    if left[-1].isalnum() and right[0].isalnum():
        return True
    inside = left[-1] in ",." and left[0].isdigit() and right[0].isdigit()
    return inside or (left[-1].isdigit() and right[0] in ",." and right[1:].isdigit())


def _copied(canvas: Canvas, first: int, last: int) -> Fill:
    segment = canvas.segments[int(canvas.block[first])]
    start, end = int(canvas.characters[first, 0]), int(canvas.characters[last, 1])
    return Fill(segment.text[start:end], segment.name, segment.offset + start, segment.offset + end)


def _draft_start(canvas: Canvas) -> int:
    return next(s.start for s in canvas.segments if s.role is Role.DRAFT)


def _cut(canvas: Canvas, where: slice) -> Canvas:
    columns = ("tokens", "kinds", "state", "positions", "block", "source", "characters")
    return replace(canvas, **{name: getattr(canvas, name)[where] for name in columns}, slots=())


def _before_draft(canvas: Canvas) -> Canvas:
    return _cut(canvas, slice(0, _draft_start(canvas)))


def _only_draft(canvas: Canvas) -> Canvas:
    return _cut(canvas, slice(_draft_start(canvas), len(canvas)))
