"""The loss of the embedded denoiser on supervised slots, and the batch it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from palimpsest.kernels import ops

from ..canvas.canvas import Canvas
from ..canvas.tokenizer import DELETE
from ..kinds import MaskKind
from ..models.embedded import Batch, EmbeddedModel, copyable
from .masking import KEEP_WEIGHT, Supervision


@dataclass(frozen=True)
class SlotBatch:
    """Slots of a batch, flattened: `row` the canvas, `place` the first token, `cite` by kind, `weight` of the loss, all [N]."""

    row: Tensor
    place: Tensor
    cite: Tensor
    weight: Tensor
    choices: list[list[int]]  # allowed rows of a CHOICE, empty otherwise
    supervision: list[Supervision]
    lengths: list[int]

    @property
    def supervised(self) -> int:
        """Places that have a loss."""
        return sum(self.lengths)


def slots_of(
    canvases: Sequence[Canvas], supervised: Sequence[Sequence[Supervision]], rows_of: dict[str, int]
) -> SlotBatch:
    row, place, cite, choices, flat, lengths = [], [], [], [], [], []
    for number, (canvas, targets) in enumerate(zip(canvases, supervised, strict=True)):
        for target in targets:
            slot = canvas.slots[target.slot]
            row.append(number)
            place.append(slot.start)
            cite.append(slot.spec.kind is MaskKind.CITE)
            choices.append([rows_of[a] for a in slot.spec.allowed])
            flat.append(target)
            lengths.append(slot.end - slot.start)
    weight = torch.tensor([t.weight for t in flat])
    return SlotBatch(torch.tensor(row), torch.tensor(place), torch.tensor(cite), weight, choices, flat, lengths)


def loss(
    model: EmbeddedModel, batch: Batch, slots: SlotBatch, *, copy: bool = True, sharpen: float = 0.0
) -> dict[str, Tensor]:
    """Mean negative log-likelihood of the slots by part; absent parts are left out.

    "span" and "cite" copy (the pointer loss: start and end in one distribution), "gate" tells copies from words, "words" and "choice"
    are written from the vocabulary, "edit" says of words that stand in a slot what becomes of each (`edit_labels`). With `sharpen`, the
    entropy of spans that are right already is added (dParallel, arXiv 2509.26488), "sharp". Without `copy` every slot is written.
    """
    hidden = model(batch)
    states = hidden[slots.row, slots.place]  # [N, C]
    is_choice = torch.tensor([bool(c) for c in slots.choices])
    is_span = torch.tensor([bool(t.spans) for t in slots.supervision])
    copied = is_span & slots.cite if not copy else is_span
    parts: dict[str, Tensor] = {}
    for name, chosen in (("span", copied & ~slots.cite), ("cite", copied & slots.cite)):
        if chosen.any():
            each, sharp = _span_loss(model, batch, hidden, states, slots, chosen, name == "cite")
            parts[name] = _mean(each, slots.weight[chosen])
            if sharpen and name == "span":
                parts["sharp"] = sharpen * sharp
    gated = ~is_choice & ~slots.cite & torch.tensor([not t.edits for t in slots.supervision])
    if copy and gated.any():
        parts["gate"] = F.binary_cross_entropy_with_logits(model.copy_share(states[gated]), is_span[gated].float())
    written = gated & ~copied
    if written.any():
        parts["words"] = _word_loss(model, batch, hidden, slots, written)
    if is_choice.any():
        parts["choice"] = _choice_loss(model, states, slots, is_choice)
    if any(t.edits for t in slots.supervision):
        parts["edit"] = _edit_loss(model, hidden, slots)
    return parts


def _mean(each: Tensor, weight: Tensor) -> Tensor:
    return (each * weight).sum() / weight.sum()


def _span_loss(
    model: EmbeddedModel, batch: Batch, hidden: Tensor, states: Tensor, slots: SlotBatch, chosen: Tensor, cite: bool
) -> tuple[Tensor, Tensor]:
    """The loss of each chosen slot [n], and the mean entropy in nats of those whose likeliest span is right."""
    rows, picked = slots.row[chosen], chosen.nonzero()[:, 0].tolist()
    start, end = model.span_scores(states[chosen], hidden[rows])
    joint = model.joint(start, end, copyable(batch, cite)[rows], 1 if cite else None)  # [N, T, L]
    gold = torch.zeros_like(joint, dtype=torch.bool)
    for n, index in enumerate(picked):
        for first, last in slots.supervision[index].spans:
            gold[n, first, last - first] = True
    flat = joint.flatten(1)
    right = gold.flatten(1).gather(1, flat.argmax(1, keepdim=True))[:, 0].float()
    possible = flat.where(flat > -torch.inf, 0.0)  # a product of 0 and infinity has no gradient
    entropy = -(possible.exp() * possible * (flat > -torch.inf)).sum(1)
    sharp = (entropy * right).sum() / right.sum().clamp_min(1)
    return -joint.masked_fill(~gold, -torch.inf).flatten(1).logsumexp(1), sharp


def _word_loss(model: EmbeddedModel, batch: Batch, hidden: Tensor, slots: SlotBatch, chosen: Tensor) -> Tensor:
    """Vocabulary targets, then one [DEL] for all surplus places together: they weigh as one token (DreamOn, arXiv 2602.01326)."""
    rows, places, targets, weights = [], [], [], []
    for index in chosen.nonzero()[:, 0].tolist():
        words, length = _words_of(batch, slots, index), slots.lengths[index]
        surplus = length - len(words)
        for i in range(length):
            rows.append(int(slots.row[index]))
            places.append(int(slots.place[index]) + i)
            targets.append(words[i] if i < len(words) else DELETE)
            weights.append(1.0 if i < len(words) else 1.0 / surplus)
    return _written(model, hidden, rows, places, targets, weights)


def _words_of(batch: Batch, slots: SlotBatch, index: int) -> tuple[int, ...]:
    """The vocabulary rows of a slot, those of its first span where it is a copy."""
    supervision = slots.supervision[index]
    if supervision.rows:
        return supervision.rows
    first, last = supervision.spans[0]
    return tuple(batch.tokens[slots.row[index], first : last + 1].tolist()[: slots.lengths[index]])


def _edit_loss(model: EmbeddedModel, hidden: Tensor, slots: SlotBatch) -> Tensor:
    """What becomes of each place of a slot that holds words: itself, another word, [DEL], or [INS] before it."""
    rows, places, targets, weights = [], [], [], []
    for index, supervision in enumerate(slots.supervision):
        for i, (target, kept) in enumerate(zip(supervision.edits, supervision.kept, strict=True)):
            rows.append(int(slots.row[index]))
            places.append(int(slots.place[index]) + i)
            targets.append(target)
            weights.append(KEEP_WEIGHT if kept else 1.0)
    return _written(model, hidden, rows, places, targets, weights)


def _written(
    model: EmbeddedModel,
    hidden: Tensor,
    rows: Sequence[int],
    places: Sequence[int],
    targets: Sequence[int],
    weights: Sequence[float],
) -> Tensor:
    states = model.transformed(hidden[torch.tensor(rows), torch.tensor(places)])
    weight = torch.tensor(weights)
    summed = ops.masked_loss(states, model.words.weight, torch.tensor(targets), row_weight=weight, bias=model.bias)
    return summed / weight.sum()


def _choice_loss(model: EmbeddedModel, states: Tensor, slots: SlotBatch, chosen: Tensor) -> Tensor:
    picked = chosen.nonzero()[:, 0].tolist()
    allowed = torch.tensor([slots.choices[i] for i in picked])
    target = torch.tensor([slots.choices[i].index(slots.supervision[i].rows[0]) for i in picked])
    logits = model.vocabulary(states[chosen]).gather(1, allowed)
    return F.cross_entropy(logits, target, label_smoothing=0.05)


WEIGHTS = {"span": 1.0, "gate": 0.7, "words": 0.3, "choice": 1.0, "cite": 0.3, "edit": 0.3, "sharp": 1.0}


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
