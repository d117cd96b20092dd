"""Drafts with mistakes in them, to be corrected: what the model itself would write, what a random hand would, what was true before.

A model learns to correct the mistakes it makes only by seeing them (ProSeCo, arXiv 2602.11590; self-generated T2T, arXiv 2606.17175).
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from ..canvas.canvas import Canvas
from ..canvas.tokenizer import DELETE, Tokenizer
from ..kinds import MaskKind, typed_spans
from ..models.embedded import Batch, EmbeddedModel
from .losses import copyable
from .masking import View, corrupted, masked, realise, stale
from .recipe import Recipe


def corrupt(
    model: EmbeddedModel, tokenizer: Tokenizer, seen: Sequence[View], rng: random.Random, recipe: Recipe
) -> list[View]:
    """The views with words in about half of their slots: the model's own fillings or random ones; stale words where there are any."""
    own = recipe.corruption == "policy"
    fillings = (
        fillings_of(model, tokenizer, [masked(v.example) for v in seen], recipe)
        if own
        else [random_words(v, rng) for v in seen]
    )
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
def fillings_of(
    model: EmbeddedModel, tokenizer: Tokenizer, seen: Sequence[View], recipe: Recipe
) -> list[list[str | None]]:
    """For each slot that copies, the words that the model finds likeliest in one step; None elsewhere."""
    canvases = [realise(v, tokenizer, model.config.max_span)[0] for v in seen]
    batch = recipe.batch(canvases)
    hidden = model(batch)
    places = [(i, n) for i, view in enumerate(seen) for n in range(len(view.shown)) if is_copied(view, n)]
    told: list[list[str | None]] = [[None] * len(view.shown) for view in seen]
    read = _copied if recipe.copy else _written
    for (i, n), words in zip(places, read(model, tokenizer, canvases, batch, hidden, places), strict=True):
        told[i][n] = words
    return told


Places = Sequence[tuple[int, int]]  # (canvas, slot)


def _copied(
    model: EmbeddedModel, tokenizer: Tokenizer, canvases: Sequence[Canvas], batch: Batch, hidden: Tensor, places: Places
) -> list[str]:
    if not places:
        return []
    rows = torch.tensor([i for i, _ in places])
    states = hidden[rows, torch.tensor([canvases[i].slots[n].start for i, n in places])]
    start, end = model.span_scores(states, hidden[rows])
    best = model.joint(start, end, copyable(batch, markers=False)[rows]).flatten(1).argmax(1).tolist()
    longest = model.config.max_span
    return [
        _words(canvases[i], p // longest, p // longest + p % longest) for (i, _), p in zip(places, best, strict=True)
    ]


def _written(
    model: EmbeddedModel, tokenizer: Tokenizer, canvases: Sequence[Canvas], batch: Batch, hidden: Tensor, places: Places
) -> list[str]:
    told = []
    for i, n in places:
        slot = canvases[i].slots[n]
        ids = model.vocabulary(hidden[i, slot.start : slot.end]).argmax(-1).tolist()
        told.append(tokenizer.decode([t for t in ids if t != DELETE]))
    return told


def _words(canvas: Canvas, first: int, last: int) -> str:
    segment = canvas.segments[int(canvas.block[first])]
    return segment.text[int(canvas.characters[first, 0]) : int(canvas.characters[last, 1])]
