"""The loss of the embedded denoiser on supervised slots, and the batch it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from palimpsest.kernels import ops

from ..canvas.canvas import Canvas, Slot
from ..canvas.tokenizer import CONTROL, DELETE
from ..kinds import RELEVANT, MaskKind
from ..models.embedded import Batch, EmbeddedModel, copyable
from .masking import KEEP_WEIGHT, Supervision


@dataclass(frozen=True)
class Places:
    """Places of a batch that a vocabulary row belongs in: `row` the canvas, `place`, `target`, `weight`, all [W]."""

    row: Tensor
    place: Tensor
    target: Tensor
    weight: Tensor

    @staticmethod
    def of(rows: Sequence[tuple[int, int, int, float]]) -> Places:
        ids = torch.tensor([r[:3] for r in rows], dtype=torch.long).reshape(-1, 3)
        return Places(ids[:, 0], ids[:, 1], ids[:, 2], torch.tensor([r[3] for r in rows], dtype=torch.float))


@dataclass(frozen=True)
class SlotBatch:
    """Slots of a batch, flattened, all tensors, so that a batch travels whole to another device.

    `row` the canvas and `place` the first token [N]; `weight` of the loss [N]; `cite`, `choice`, `copied`, `edited` by kind [N] bool;
    `allowed` [N, K] the vocabulary rows of a CHOICE, -1 where it has fewer, and `answer` [N] which of them is right; `gold`
    [G, 3] right spans (slot, first token, tokens more); `words` and `edits` are written from the vocabulary.
    """

    row: Tensor
    place: Tensor
    weight: Tensor
    cite: Tensor
    choice: Tensor
    copied: Tensor
    edited: Tensor
    allowed: Tensor
    answer: Tensor
    gold: Tensor
    words: Places
    edits: Places
    supervised: int  # places that have a loss


def slots_of(
    canvases: Sequence[Canvas],
    supervised: Sequence[Sequence[Supervision]],
    rows_of: Mapping[str, int] = CONTROL,
    copy: bool = True,
) -> SlotBatch:
    """Without `copy` the words of every slot but a citation are written, those of its first span where it has one."""
    places = [
        (n, c.slots[t.slot], c, t) for n, (c, ts) in enumerate(zip(canvases, supervised, strict=True)) for t in ts
    ]
    cite = [slot.spec.kind is MaskKind.CITE for _, slot, _, _ in places]
    copied = [bool(t.spans) and (copy or is_cite) for (_, _, _, t), is_cite in zip(places, cite, strict=True)]
    choices = [[rows_of[a] for a in slot.spec.allowed] for _, slot, _, _ in places]
    widest = max(map(len, choices), default=0) or 1
    answers = [c.index(t.rows[0]) if c else 0 for c, (_, _, _, t) in zip(choices, places, strict=True)]
    words: list[tuple[int, int, int, float]] = []
    edits: list[tuple[int, int, int, float]] = []
    for (n, slot, canvas, t), is_cite, is_copied, choice in zip(places, cite, copied, choices, strict=True):
        if t.edits:
            weights = [KEEP_WEIGHT if kept else 1.0 for kept in t.kept]
            edits += [(n, slot.start + i, row, w) for i, (row, w) in enumerate(zip(t.edits, weights, strict=True))]
        elif not (is_cite or is_copied or choice):
            words += _word_places(n, slot, canvas, t)
    return SlotBatch(
        row=torch.tensor([n for n, _, _, _ in places], dtype=torch.long),
        place=torch.tensor([slot.start for _, slot, _, _ in places], dtype=torch.long),
        weight=torch.tensor([t.weight for _, _, _, t in places], dtype=torch.float),
        cite=torch.tensor(cite, dtype=torch.bool),
        choice=torch.tensor([bool(c) for c in choices], dtype=torch.bool),
        copied=torch.tensor(copied, dtype=torch.bool),
        edited=torch.tensor([bool(t.edits) for _, _, _, t in places], dtype=torch.bool),
        allowed=torch.tensor([c + [-1] * (widest - len(c)) for c in choices], dtype=torch.long).reshape(-1, widest),
        answer=torch.tensor(answers, dtype=torch.long),
        gold=torch.tensor(
            [(k, first, last - first) for k, (_, _, _, t) in enumerate(places) for first, last in t.spans],
            dtype=torch.long,
        ).reshape(-1, 3),
        words=Places.of(words),
        edits=Places.of(edits),
        supervised=sum(slot.end - slot.start for _, slot, _, _ in places),
    )


def _word_places(
    number: int, slot: Slot, canvas: Canvas, supervision: Supervision
) -> list[tuple[int, int, int, float]]:
    """Vocabulary targets, then one [DEL] for all surplus places together: they weigh as one token (DreamOn, arXiv 2602.01326)."""
    length, rows = slot.end - slot.start, list(supervision.rows)
    if not rows:
        first, last = supervision.spans[0]
        rows = canvas.tokens[first : last + 1].tolist()[:length]
    surplus = max(length - len(rows), 1)
    targets = [(t, 1.0) for t in rows] + [(DELETE, 1.0 / surplus)] * (length - len(rows))
    return [(number, slot.start + i, target, weight) for i, (target, weight) in enumerate(targets)]


def loss(
    model: EmbeddedModel, batch: Batch, slots: SlotBatch, *, copy: bool = True, sharpen: float = 0.0, half: bool = False
) -> dict[str, Tensor]:
    """Mean negative log-likelihood of the slots by part; absent parts are left out.

    "span" and "cite" copy (the pointer loss: start and end in one distribution), "gate" tells copies from words, "words" and "choice"
    are written from the vocabulary, "edit" says of words that stand in a slot what becomes of each (labels.py). With `sharpen`, the
    entropy of spans that are right already is added (dParallel, arXiv 2509.26488), "sharp". Without `copy` every slot is
    written. With `half` the body computes in bf16; the heads never do.
    """
    with torch.autocast(batch.tokens.device.type, torch.bfloat16, enabled=half):
        hidden = model(batch)
    hidden = hidden.float()
    states = hidden[slots.row, slots.place]  # [N, C]
    parts: dict[str, Tensor] = {}
    for name, chosen in (("span", slots.copied & ~slots.cite), ("cite", slots.copied & slots.cite)):
        if chosen.any():
            each, sharp = _span_loss(model, batch, hidden, states, slots, chosen, name == "cite")
            parts[name] = _mean(each, slots.weight[chosen])
            if sharpen and name == "span":
                parts["sharp"] = sharpen * sharp
    gated = ~slots.choice & ~slots.cite & ~slots.edited
    if copy and gated.any():
        share = model.copy_share(states[gated]).float()
        parts["gate"] = F.binary_cross_entropy_with_logits(share, slots.copied[gated].float())
    if len(slots.words.row):
        parts["words"] = _written(model, hidden, slots.words)
    if slots.choice.any():
        parts |= _choice_loss(model, states, slots)
    if len(slots.edits.row):
        parts["edit"] = _written(model, hidden, slots.edits)
    return parts


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight).sum() / weight.sum()


def _span_loss(
    model: EmbeddedModel, batch: Batch, hidden: Tensor, states: Tensor, slots: SlotBatch, chosen: Tensor, cite: bool
) -> tuple[Tensor, Tensor]:
    """The loss of each chosen slot [n], and the mean entropy in nats of those whose likeliest span is right."""
    rows = slots.row[chosen]
    keys = model.span_keys(hidden)  # once a canvas, not once a slot
    start, end = model.span_scores_of(states[chosen], keys[rows])
    joint = model.joint(start.float(), end.float(), copyable(batch, cite)[rows], 1 if cite else None)  # [n, T, L]
    gold = torch.zeros_like(joint, dtype=torch.bool)
    new = chosen.cumsum(0) - 1
    inside = slots.gold[chosen[slots.gold[:, 0]]]
    gold[new[inside[:, 0]], inside[:, 1], inside[:, 2]] = True
    flat = joint.flatten(1)
    right = gold.flatten(1).gather(1, flat.argmax(1, keepdim=True))[:, 0].float()
    possible = flat.where(flat > -torch.inf, 0.0)  # a product of 0 and infinity has no gradient
    entropy = -(possible.exp() * possible * (flat > -torch.inf)).sum(1)
    sharp = (entropy * right).sum() / right.sum().clamp_min(1)
    return -joint.masked_fill(~gold, -torch.inf).flatten(1).logsumexp(1), sharp


def _written(model: EmbeddedModel, hidden: Tensor, places: Places) -> Tensor:
    """Vocabulary rows at places: of words that are written, or what becomes of those that stand in a slot."""
    states = model.transformed(hidden[places.row, places.place]).to(model.words.weight.dtype)
    summed = ops.masked_loss(states, model.words.weight, places.target, row_weight=places.weight, bias=model.bias)
    return summed / places.weight.sum()


def _choice_loss(model: EmbeddedModel, states: Tensor, slots: SlotBatch) -> dict[str, Tensor]:
    """Which of the allowed rows; of relevance also that within a canvas what is relevant stands above what is not ("rank")."""
    allowed, answer, rows = slots.allowed[slots.choice], slots.answer[slots.choice], slots.row[slots.choice]
    candidates = model.words.weight[allowed.clamp_min(0)]  # [n, K, C]
    logits = torch.einsum("nc,nkc->nk", model.transformed(states[slots.choice]).float(), candidates.float())
    logits = (logits + model.bias[allowed.clamp_min(0)]).masked_fill(allowed < 0, -1e4)
    width = (allowed >= 0).sum(1)
    smooth = -logits.log_softmax(1).masked_fill(allowed < 0, 0.0).sum(1) / width
    each = (1 - SMOOTHING) * F.cross_entropy(logits, answer, reduction="none") + SMOOTHING * smooth
    beside = (rows[:, None] == rows[None]).sum(1)  # the many sentences of one canvas do not outweigh a verdict
    parts = {"choice": _mean(each, beside.float().rsqrt())}
    ranked = allowed[:, 0] == CONTROL[RELEVANT]
    margin, wrong, canvas = (logits[:, 0] - logits[:, 1])[ranked], answer[ranked] > 0, rows[ranked]
    pairs = (canvas[:, None] == canvas[None]) & ~wrong[:, None] & wrong[None]
    if pairs.any():
        parts["rank"] = F.softplus(margin[None] - margin[:, None])[pairs].mean()
    return parts


SMOOTHING = 0.05
WEIGHTS = {"span": 1.0, "gate": 0.7, "words": 0.3, "choice": 1.5, "cite": 0.3, "edit": 0.3, "rank": 1.0, "sharp": 1.0}


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
