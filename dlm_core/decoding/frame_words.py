"""A frame as words: what stands in a slot after a step, and what the model would write where it is still open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..canvas.canvas import Decoder
from .sampler import Frame


class Word(NamedTuple):
    """A piece of a slot. An open one is a mask, and `text` the model's guess for it; `certainty` is that guess's probability."""

    text: str
    is_open: bool
    certainty: float


def standing_words(frame: Frame, slot: int, tokenizer: Decoder) -> list[Word]:
    """The words of a slot. A free slot settles place by place; another one whole, and shows the words of its best filling."""
    where = frame.canvas.slots[slot]
    if where.spec.free:
        return list(_by_place(frame, where.start, where.end, tokenizer))
    certainty = float(frame.guess.prob[where.start])
    filled = frame.canvas.fill(slot, tokenizer)
    if filled is not None:
        return [Word(word, False, certainty) for word in filled.text.split()] or [Word("", False, certainty)]
    tokens = frame.guess.token[where.start : where.end].tolist()
    text = tokenizer.decode([t for t in tokens if t not in (frame.canvas.marks.delete, frame.canvas.marks.none)])
    return [Word(word, True, certainty) for word in text.split()] or [Word("", True, certainty)]


def _by_place(frame: Frame, start: int, end: int, tokenizer: Decoder) -> Iterator[Word]:
    """Every place with its own letters: what decoding it adds to the places before it, so that blanks between words stay."""
    canvas, guess = frame.canvas, frame.guess
    before: list[int] = []
    for place in range(start, end):
        is_open = bool(canvas.open[place])
        token = int(guess.token[place] if is_open else canvas.tokens[place])
        if token == canvas.marks.delete:
            continue
        text = tokenizer.decode([*before, token])[len(tokenizer.decode(before)) :]
        before.append(token)
        yield Word(text, is_open, float(guess.prob[place]))
