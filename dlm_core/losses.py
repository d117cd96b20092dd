"""The loss of the embedded denoiser on supervised slots, and the batch it reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .canvas import Canvas, Role
from .data import Supervision
from .kinds import MaskKind
from .models.embedded import Batch, EmbeddedModel
from .tokenizer import DELETE, FIRST_PASSAGE_ROW, MAX_PASSAGES


@dataclass(frozen=True)
class SlotBatch:
    """Slots of a batch, flattened: `row` the canvas, `place` the first token, `cite` and `choice` by kind, all [N]."""

    row: Tensor
    place: Tensor
    cite: Tensor
    choices: list[list[int]]  # allowed rows of a CHOICE, empty otherwise
    supervision: list[Supervision]
    lengths: list[int]


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
    return SlotBatch(torch.tensor(row), torch.tensor(place), torch.tensor(cite), choices, flat, lengths)


def copyable(batch: Batch, markers: bool) -> Tensor:
    """[B, T] int64: the block of each token that a slot may copy, -1 elsewhere; with `markers` the passage openers instead."""
    opener = (batch.tokens >= FIRST_PASSAGE_ROW) & (batch.tokens < FIRST_PASSAGE_ROW + MAX_PASSAGES)
    opener &= torch.cat([torch.ones_like(opener[:, :1]), batch.block[:, 1:] != batch.block[:, :-1]], 1)
    last = torch.cat([batch.block[:, 1:] != batch.block[:, :-1], torch.ones_like(opener[:, :1])], 1)
    evidence = (batch.roles == Role.EVIDENCE) & (batch.block >= 0)
    wanted = evidence & opener if markers else evidence & ~opener & ~last
    return torch.where(wanted, batch.block, -1)


def loss(model: EmbeddedModel, batch: Batch, slots: SlotBatch) -> dict[str, Tensor]:
    """Mean negative log-likelihood of the slots by part: "span", "gate", "words", "choice", "cite"; absent parts are left out."""
    hidden = model(batch)
    states = hidden[slots.row, slots.place]  # [N, C]
    is_choice = torch.tensor([bool(c) for c in slots.choices])
    is_span = torch.tensor([bool(t.spans) for t in slots.supervision])
    parts: dict[str, Tensor] = {}
    for name, chosen in (("span", is_span & ~slots.cite), ("cite", is_span & slots.cite)):
        if chosen.any():
            parts[name] = _span_loss(model, batch, hidden, states, slots, chosen, name == "cite").mean()
    gated = ~is_choice & ~slots.cite
    if gated.any():
        parts["gate"] = F.binary_cross_entropy_with_logits(model.copy_share(states[gated]), is_span[gated].float())
    written = gated & ~is_span
    if written.any():
        parts["words"] = _word_loss(model, hidden, slots, written)
    if is_choice.any():
        parts["choice"] = _choice_loss(model, states, slots, is_choice)
    return parts


def _span_loss(
    model: EmbeddedModel, batch: Batch, hidden: Tensor, states: Tensor, slots: SlotBatch, chosen: Tensor, cite: bool
) -> Tensor:
    rows, picked = slots.row[chosen], chosen.nonzero()[:, 0].tolist()
    start, end = model.span_scores(states[chosen], hidden[rows])
    joint = model.joint(start, end, copyable(batch, cite)[rows], 1 if cite else None)  # [N, T, L]
    gold = torch.zeros_like(joint, dtype=torch.bool)
    for n, index in enumerate(picked):
        for first, last in slots.supervision[index].spans:
            gold[n, first, last - first] = True
    return -joint.masked_fill(~gold, -torch.inf).flatten(1).logsumexp(1)


def _word_loss(model: EmbeddedModel, hidden: Tensor, slots: SlotBatch, chosen: Tensor) -> Tensor:
    """Vocabulary targets, then one [DEL] for all surplus places together: they weigh as one token (DreamOn, arXiv 2602.01326)."""
    rows, places, targets, weights = [], [], [], []
    for index in chosen.nonzero()[:, 0].tolist():
        words, length = slots.supervision[index].rows, slots.lengths[index]
        surplus = length - len(words)
        for i in range(length):
            rows.append(int(slots.row[index]))
            places.append(int(slots.place[index]) + i)
            targets.append(words[i] if i < len(words) else DELETE)
            weights.append(1.0 if i < len(words) else 1.0 / surplus)
    logits = model.vocabulary(hidden[torch.tensor(rows), torch.tensor(places)])
    each = F.cross_entropy(logits, torch.tensor(targets), reduction="none")
    weight = torch.tensor(weights)
    return (each * weight).sum() / weight.sum()


def _choice_loss(model: EmbeddedModel, states: Tensor, slots: SlotBatch, chosen: Tensor) -> Tensor:
    picked = chosen.nonzero()[:, 0].tolist()
    allowed = torch.tensor([slots.choices[i] for i in picked])
    target = torch.tensor([slots.choices[i].index(slots.supervision[i].rows[0]) for i in picked])
    logits = model.vocabulary(states[chosen]).gather(1, allowed)
    return F.cross_entropy(logits, target, label_smoothing=0.05)


WEIGHTS = {"span": 1.0, "gate": 0.7, "words": 0.3, "choice": 1.0, "cite": 0.3}


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
