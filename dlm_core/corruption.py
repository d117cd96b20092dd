"""Drafts with mistakes in them, to be corrected: what the model itself would write, what a random hand would, what was true before.

A model learns to correct the mistakes it makes only by seeing them (ProSeCo, arXiv 2602.11590; self-generated T2T, arXiv 2606.17175).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from .canvas import Canvas
from .kinds import MaskKind, typed_spans
from .losses import copyable
from .models.embedded import Batch, EmbeddedModel
from .tokenizer import Tokenizer
from .views import View, corrupted, masked, realise, stale


def corrupt(
    model: EmbeddedModel, tokenizer: Tokenizer, seen: Sequence[View], rng: random.Random, *, own: bool
) -> list[View]:
    """The views with words in about half of their slots: the model's `own` fillings or random ones; stale words where there are any."""
    fillings = own_words(model, tokenizer, seen) if own else [random_words(v, rng) for v in seen]
    told = []
    for view, words in zip(seen, fillings, strict=True):
        if any(t.now for t in view.example.targets) and rng.random() < 0.5:
            told.append(stale(view))
        else:
            told.append(corrupted(view, [w if rng.random() < 0.5 else None for w in words]))
    return told


def random_words(view: View, rng: random.Random) -> list[str | None]:
    """For each slot that copies, another name or figure of its passages; None elsewhere."""
    found = [text[s:e] for text in view.example.passages for s, e, k in typed_spans(text) if k is not MaskKind.LOGIC]
    return [rng.choice(found) if found and is_copied(view, n) else None for n in range(len(view.shown))]


def is_copied(view: View, slot: int) -> bool:
    return bool(view.example.targets[slot].spans) and view.example.slots[slot].kind is not MaskKind.CITE


@torch.no_grad()
def own_words(model: EmbeddedModel, tokenizer: Tokenizer, seen: Sequence[View]) -> list[list[str | None]]:
    """For each slot that copies, the span that the model finds likeliest when every slot is a mask; None elsewhere."""
    canvases = [realise(masked(v.example), tokenizer, model.config.max_span)[0] for v in seen]
    batch = Batch.of(canvases)
    hidden = model(batch)
    places = [(i, n) for i, view in enumerate(seen) for n in range(len(view.shown)) if is_copied(view, n)]
    told: list[list[str | None]] = [[None] * len(view.shown) for view in seen]
    if not places:
        return told
    rows = torch.tensor([i for i, _ in places])
    states = hidden[rows, torch.tensor([canvases[i].slots[n].start for i, n in places])]
    start, end = model.span_scores(states, hidden[rows])
    best = model.joint(start, end, copyable(batch, markers=False)[rows]).flatten(1).argmax(1).tolist()
    for (i, n), place in zip(places, best, strict=True):
        first, extra = divmod(place, model.config.max_span)
        told[i][n] = _words(canvases[i], first, first + extra)
    return told


def _words(canvas: Canvas, first: int, last: int) -> str:
    segment = canvas.segments[int(canvas.block[first])]
    return segment.text[int(canvas.characters[first, 0]) : int(canvas.characters[last, 1])]
