"""Training examples on the canvas of a hosted family: which token belongs in each place, said the way the family will be asked.

The loss is the embedded model's, place by place: a slot that copies learns the words of its span, a surplus place the token that
ends an answer, a citation the mark of its passage, a verdict one of its words.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.kernels.words import Allowed

from ..cache.attention import bounds
from ..canvas.canvas import Canvas, Role, padded
from ..denoisers.prompted import LENGTHS, PromptedDenoiser
from ..kinds import MaskKind
from .edit_labels import Edit, edits
from .masking import KEEP_WEIGHT, Masking, token_spans

Words = tuple[
    list[int], list[Tensor | None]
]  # the tokens that belong in a slot, and among which each is to be recognised


@dataclass(frozen=True)
class Place:
    """Row `row` of a canvas should hold `target`, distinguished from the `allowed` ids (None: all words). `part` names its loss."""

    row: int
    target: int
    part: str
    weight: float = 1.0
    allowed: Tensor | None = None


@dataclass(frozen=True)
class Targets:
    """A canvas and what is to be learnt on it."""

    canvas: Canvas
    places: tuple[Place, ...]

    @property
    def open(self) -> list[Place]:
        """The places whose words the model is to write itself."""
        return [p for p in self.places if bool(self.canvas.open[p.row])]


def targets_of(masking: Masking, denoiser: PromptedDenoiser, rng: random.Random) -> Targets:
    """Build the canvas of a masking, and its targets.

    A slot has just the places of its words or, as often, more: then what is surplus ends, all of it as one token.

    ValueError when there are more passages than marks.
    """
    example = masking.example
    canvas = denoiser.build(
        example.question, [(str(n), text) for n, text in enumerate(example.passages)], example.draft
    )
    places: list[Place] = []
    for number, shown in enumerate(masking.shown):
        right = _right(canvas, masking, number, denoiser)
        if shown is not None:
            canvas, more = _standing(
                canvas, number, denoiser.tokenizer.encode(shown).ids, right, shown == example.words(number)
            )
        elif right is not None:
            canvas, more = _open(canvas, number, right, rng)
        else:
            continue
        places += more
    return Targets(canvas, tuple(places))


def _right(canvas: Canvas, masking: Masking, number: int, denoiser: PromptedDenoiser) -> Words | None:
    """What belongs in a slot; None where that cannot be said in this model's words."""
    target, spec = masking.example.targets[number], canvas.slots[number].spec
    if spec.kind is MaskKind.CITE:
        marks = [s.start for s in canvas.segments if s.role is Role.EVIDENCE]
        cited = [first for span in target.spans for first, _ in token_spans(canvas, span)]
        return ([int(canvas.tokens[cited[0]])], [canvas.tokens[marks]]) if cited else None
    if spec.kind is MaskKind.CHOICE:
        if target.words not in spec.allowed:
            return None
        answers = denoiser.answers(spec.allowed, spec.length)
        row = answers.tokens[spec.allowed.index(target.words)]
        ids = row[row >= 0].tolist()
        return ids, [answers.tokens[:, 0], *[None] * (len(ids) - 1)]
    if spec.kind is MaskKind.LOGIC:
        ids = denoiser.tokenizer.encode(target.words).ids[:1]
        return (ids, [denoiser.logic]) if ids and ids[0] in denoiser.logic else None
    spans = [found for span in target.spans for found in token_spans(canvas, span)]
    if spans:
        first, last = spans[0]
        ids = canvas.tokens[first : last + 1].tolist()
    elif target.words == "[NONE]":
        ids = [canvas.marks.none]
    else:
        ids = denoiser.tokenizer.encode(target.words).ids
    return (ids, [None] * len(ids)) if 0 < len(ids) <= spec.length else None


def _open(canvas: Canvas, number: int, right: Words, rng: random.Random) -> tuple[Canvas, list[Place]]:
    ids, allowed = right
    spec, part = canvas.slots[number].spec, _part(canvas.slots[number].spec.kind)
    wider = [n for n in LENGTHS if len(ids) < n <= spec.length]
    if spec.free:
        length = spec.length
    elif part == "span":
        length = rng.choice(wider) if wider and rng.random() < 0.5 else len(ids)
        canvas = canvas.resize(number, length)
    else:  # one word says it, and the slot is never resized
        length = len(ids)
    start, surplus = canvas.slots[number].start, length - len(ids)
    places = [Place(start + n, i, part, allowed=a) for n, (i, a) in enumerate(zip(ids, allowed, strict=True))]
    places += [Place(start + n, canvas.marks.delete, part, 1 / surplus) for n in range(len(ids), length)]
    return canvas, places


def _part(kind: MaskKind) -> str:
    return {MaskKind.CITE: "cite", MaskKind.CHOICE: "choice", MaskKind.LOGIC: "words"}.get(kind, "span")


def _standing(
    canvas: Canvas, number: int, stands: Sequence[int], wanted_words: Words | None, is_right: bool
) -> tuple[Canvas, list[Place]]:
    """Words in a slot: the right ones are only read; of others it is learnt what becomes of each (edit_labels.py).

    An insertion needs a place more than there is, and no token for it is in these vocabularies, so it has no loss.
    """
    right = wanted_words[0] if wanted_words else list(stands)
    stands = right if is_right else list(stands)
    length = max(len(stands), len(right), 1)
    canvas = canvas.resize(number, length)
    canvas = canvas.write(number, stands)
    if wanted_words is None or is_right:
        return canvas, []
    start, delete = canvas.slots[number].start, canvas.marks.delete
    wanted = edits(padded(stands, length, delete), padded(right, length, delete))
    places = [
        Place(start + n, delete if edit is Edit.DELETE else row, "edit", KEEP_WEIGHT if edit is Edit.KEEP else 1.0)
        for n, (edit, row) in enumerate(wanted)
        if edit is not Edit.INSERT
    ]
    return canvas, places


@dataclass(frozen=True)
class Asked:
    """Places of several canvases, flattened [N]: `row` among the rows of all canvases, `canvas` the number of its canvas."""

    row: Tensor
    canvas: Tensor
    target: Tensor
    weight: Tensor
    allowed: Allowed


def gathered(
    targets: Sequence[Targets], chosen: Iterable[tuple[int, Place]], shift: int, device: torch.device
) -> Asked:
    """The `chosen` (canvas, place) pairs; `shift` is 1 where the word at a place is read off the row before it."""
    starts = bounds([len(x.canvas) for x in targets])
    picked = list(chosen)
    return Asked(
        torch.tensor([starts[n] + max(p.row - shift, 0) for n, p in picked], device=device),
        torch.tensor([n for n, _ in picked], device=device),
        torch.tensor([p.target for _, p in picked], device=device),
        torch.tensor([p.weight for _, p in picked], dtype=torch.float32, device=device),
        Allowed.of([p.allowed for _, p in picked], device),
    )
