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
from ..models.embedded import Batch, EmbeddedModel, copyable
from .masking import Masking, corrupted, masked, realise, stale
from .recipe import Recipe


def corrupt(
    model: EmbeddedModel, tokenizer: Tokenizer, seen: Sequence[Masking], rng: random.Random, recipe: Recipe
) -> list[Masking]:
    """The maskings with words in about half of their slots: the model's own fillings, random ones, or stale ones."""
    own = recipe.corruption == "policy"
    fillings = (
        fillings_of(model, tokenizer, [masked(v.example) for v in seen], recipe)
        if own
        else [random_words(v, rng) for v in seen]
    )
    mistaken = []
    for masking, words in zip(seen, fillings, strict=True):
        if any(t.now for t in masking.example.targets) and rng.random() < 0.5:
            mistaken.append(stale(masking))
        else:
            mistaken.append(corrupted(masking, [w if rng.random() < 0.5 else None for w in words]))
    return mistaken


def random_words(masking: Masking, rng: random.Random) -> list[str | None]:
    """For each slot that copies, another name or figure of its passages; None elsewhere."""
    found = [text[s:e] for text in masking.example.passages for s, e, k in typed_spans(text) if k is not MaskKind.LOGIC]
    return [rng.choice(found) if found and is_copied(masking, n) else None for n in range(len(masking.shown))]


def is_copied(masking: Masking, slot: int) -> bool:
    return bool(masking.example.targets[slot].spans) and masking.example.slots[slot].kind is not MaskKind.CITE


@torch.no_grad()
def fillings_of(
    model: EmbeddedModel, tokenizer: Tokenizer, seen: Sequence[Masking], recipe: Recipe
) -> list[list[str | None]]:
    """For each slot that copies, the words that the model finds likeliest in one step; None elsewhere."""
    canvases = [realise(v, tokenizer, model.config.max_span)[0] for v in seen]
    batch = recipe.batch(canvases)
    hidden = model(batch)
    places = [(i, n) for i, masking in enumerate(seen) for n in range(len(masking.shown)) if is_copied(masking, n)]
    fillings: list[list[str | None]] = [[None] * len(masking.shown) for masking in seen]
    read = _copied if recipe.copy else _written
    for (i, n), words in zip(places, read(model, tokenizer, canvases, batch, hidden, places), strict=True):
        fillings[i][n] = words
    return fillings


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
    words = []
    for i, n in places:
        slot = canvases[i].slots[n]
        ids = model.vocabulary(hidden[i, slot.start : slot.end]).argmax(-1).tolist()
        words.append(tokenizer.decode([t for t in ids if t != DELETE]))
    return words


def _words(canvas: Canvas, first: int, last: int) -> str:
    segment = canvas.segments[int(canvas.block[first])]
    return segment.text[int(canvas.characters[first, 0]) : int(canvas.characters[last, 1])]
