"""How an example is shown to the model: which holes are masks, which hold words, and what is then to be learned of each.

The share of masks follows a curriculum (high ratios first, then mixed, then low ones); of complementary maskings one masks what the
other shows, so every hole is a target once a pair (LLaDA2.0; dParallel, arXiv 2509.26488).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from ..canvas.canvas import Canvas, padded
from ..canvas.tokenizer import CONTROL, DELETE, INSERT, Tokenizer
from ..denoisers.embedded_layout import build_canvas
from ..kinds import MaskKind
from .edit_labels import Edit, edits
from .examples import Example

KEEP_WEIGHT = 0.2  # a place that is right already, beside one that is to be changed


@dataclass(frozen=True)
class Masking:
    """An example and what stands in each of its slots: None for a mask."""

    example: Example
    shown: tuple[str | None, ...]


@dataclass(frozen=True)
class Supervision:
    """What a slot of a canvas should become: token spans (first, last) on the canvas, or vocabulary rows.

    A slot that holds words already has `edits`: for each of its places the vocabulary row that belongs there. `weight` scales its loss.
    """

    slot: int
    spans: tuple[tuple[int, int], ...]
    rows: tuple[int, ...]
    edits: tuple[int, ...] = ()
    kept: tuple[bool, ...] = ()  # which of these places are right as they are
    weight: float = 1.0


def masked(example: Example) -> Masking:
    """Every slot a mask: what a draft looks like before the first step."""
    return Masking(example, (None,) * len(example.targets))


def maskings(
    example: Example, share: float, rng: random.Random, *, complementary: bool = True, outline: bool = True
) -> list[Masking]:
    """One masking of an example with few holes, two of one with several. `share` of the training is over.

    With `complementary` the second masks what the first shows; without, it is drawn like the first. Without `outline` the coarse
    slot is never masked and never shown: its place is left out.
    """
    if not outline:
        example = without_outline(example)
    holes = [n for n, spec in enumerate(example.slots) if _can_be_shown(example, n)]
    if len(holes) < 2:
        return [masked(example)]
    first = _drawn(holes, ratio(share, rng), rng)
    second = set(holes) - first if complementary else _drawn(holes, ratio(share, rng), rng)
    return [_showing(example, set(holes) - open_now) for open_now in (first, second) if open_now]


def ratio(share: float, rng: random.Random) -> float:
    """The share of holes that are masks: high at first, bell-shaped later, low at the end."""
    roll = rng.random()
    if share < 0.3:
        return 1.0 if roll < 0.6 else rng.uniform(0.5, 1)
    if share < 0.75:
        return 1.0 if roll < 0.3 else rng.betavariate(2, 2)
    return 1.0 if roll < 0.3 else rng.uniform(0, 0.5)


def without_outline(example: Example) -> Example:
    """The example without its coarse slots and what stands between one and the next piece."""
    if not any(spec.kind is MaskKind.OUTLINE for spec in example.slots):
        return example
    draft = tuple(p if isinstance(p, str) else replace(p, after=()) for p in example.draft[2:])
    return replace(example, draft=draft, targets=example.targets[1:])


def corrupted(masking: Masking, words: Sequence[str | None]) -> Masking:
    """The masking with the given `words` standing in its slots where there are any."""
    return Masking(masking.example, tuple(w if w is not None else s for w, s in zip(words, masking.shown, strict=True)))


def stale(masking: Masking) -> Masking:
    """The masking of a draft from before the evidence: slots say what they said then."""
    return corrupted(masking, [t.now or None for t in masking.example.targets])


def _can_be_shown(example: Example, slot: int) -> bool:
    return bool(example.words(slot)) and example.slots[slot].kind not in (MaskKind.CITE, MaskKind.CHOICE)


def _drawn(holes: Sequence[int], share: float, rng: random.Random) -> set[int]:
    return set(rng.sample(list(holes), max(1, round(share * len(holes)))))


def _showing(example: Example, slots: set[int]) -> Masking:
    return Masking(example, tuple(example.words(n) if n in slots else None for n in range(len(example.targets))))


def realise(masking: Masking, tokenizer: Tokenizer, longest: int) -> tuple[Canvas, list[Supervision]]:
    """The canvas of a masking. Spans that a window cut, or of over `longest` tokens, and words that do not fit give no supervision."""
    example = masking.example
    passages = [(str(i), text) for i, text in enumerate(example.passages)]
    canvas = build_canvas(tokenizer, example.question, passages, example.draft)
    canvas = _written(canvas, masking, tokenizer)
    supervised = []
    for number, target in enumerate(example.targets):
        spans = tuple(s for place in target.spans for s in token_spans(canvas, place) if s[1] - s[0] < longest)
        rows = _rows(tokenizer, target.words)
        slot = canvas.slots[number]
        if len(rows) > slot.end - slot.start or not (spans or rows):
            continue
        supervision = Supervision(number, spans, rows)
        if masking.shown[number] is not None:
            supervision = _edited(supervision, canvas, _rows(tokenizer, example.words(number)))
        supervised.append(supervision)
    return canvas, supervised


def _rows(tokenizer: Tokenizer, words: str) -> tuple[int, ...]:
    return (CONTROL[words],) if words in CONTROL else tuple(tokenizer.encode(words).ids)


def _written(canvas: Canvas, masking: Masking, tokenizer: Tokenizer) -> Canvas:
    for number, words in enumerate(masking.shown):
        if words is not None:
            canvas = canvas.write(number, tokenizer.encode(words).ids)
    return canvas


def _edited(supervision: Supervision, canvas: Canvas, right: Sequence[int]) -> Supervision:
    slot = canvas.slots[supervision.slot]
    stands = canvas.tokens[slot.start : slot.end].tolist()
    wanted = edits(stands, padded(right, len(stands), DELETE))
    rows = [{Edit.DELETE: DELETE, Edit.INSERT: INSERT}.get(edit, row) for edit, row in wanted]
    kept = tuple(edit is Edit.KEEP for edit, _ in wanted)
    return replace(supervision, edits=tuple(rows), kept=kept, weight=KEEP_WEIGHT if all(kept) else 1.0)


def token_spans(canvas: Canvas, place: tuple[int, int, int]) -> list[tuple[int, int]]:
    passage, start, end = place
    for segment in canvas.segments:
        if segment.name != str(passage):
            continue
        if start < 0:
            return [(segment.start, segment.start)]
        found = _inside(canvas.characters[segment.start : segment.end], segment.offset, start, end)
        if found:
            return [(segment.start + found[0], segment.start + found[1])]
    return []


def _inside(characters: Tensor, offset: int, start: int, end: int) -> tuple[int, int] | None:
    """The first and last row of a segment that cover the characters [start, end) wholly, None if they do not."""
    own = characters + offset
    inside = ((own[:, 0] < end) & (own[:, 1] > start) & (characters[:, 0] >= 0)).nonzero()[:, 0]
    if not inside.numel() or int(own[inside[0], 0]) > start or int(own[inside[-1], 1]) < end:
        return None
    return int(inside[0]), int(inside[-1])
