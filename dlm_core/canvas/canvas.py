"""The canvas: question, evidence and draft as one sheet of tokens, with typed holes that are known by their state.

A canvas is a value: every edit returns a new one. Untouched rows keep their `ids` through any edit, so a cache that knows the ids it
holds can tell what is old, what is new and what has only moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

from ..kinds import MaskKind, SlotSpec


class State(IntEnum):
    """Whether a place may change. A mask is known by this, never by its token id."""

    FIXED = 0
    OPEN = 1
    FILLED = 2


class Role(IntEnum):
    """The block a token stands in; also its row in the embedded model's token-type table."""

    QUESTION = 0
    DRAFT = 1
    EVIDENCE = 2


@dataclass(frozen=True)
class Marks:
    """Token ids of a model: what it sees in an open place, what fills a surplus place, what says "no answer"."""

    mask: int
    delete: int
    none: int


@dataclass(frozen=True)
class Segment:
    """Tokens [start, end) of the canvas. An evidence segment shows `text` of a passage, `offset` characters into it.

    `origin` is the first position of the segment's own frame; -1 counts on from the rows before it.
    """

    role: Role
    start: int
    end: int
    text: str
    name: str = ""  # the passage id of evidence
    offset: int = 0
    origin: int = -1


@dataclass(frozen=True)
class Slot:
    """The tokens [start, end) of the canvas that `spec` describes."""

    spec: SlotSpec
    start: int
    end: int


@dataclass(frozen=True)
class Fill:
    """What stands in a slot now. `name`, `start` and `end` say where the words were copied from, None if from nowhere."""

    text: str
    name: str | None = None
    start: int = -1
    end: int = -1


class Decoder(Protocol):
    def decode(self, ids: list[int]) -> str: ...


@dataclass(frozen=True)
class Canvas:
    """All tensors are [T]: tokens, source, ids int64; kinds, state int8.

    `source` is the canvas index that a filled token was copied from, -1 otherwise. `characters` [T, 2] are offsets into the
    segment's text, -1 for control tokens. `ids` name the rows: an edit gives fresh ones to what it writes and keeps all others.
    """

    tokens: Tensor
    kinds: Tensor
    state: Tensor
    source: Tensor
    characters: Tensor
    ids: Tensor
    segments: tuple[Segment, ...]
    slots: tuple[Slot, ...]
    marks: Marks
    fresh: int  # the first id that no row has had

    def __len__(self) -> int:
        return self.tokens.numel()

    @property
    def open(self) -> Tensor:
        return self.state == State.OPEN

    @cached_property
    def block(self) -> Tensor:
        """[T] int64: the number of each token's segment; a passage sees the question and its own block, the draft sees all."""
        return torch.repeat_interleave(torch.tensor([s.end - s.start for s in self.segments]))

    @cached_property
    def roles(self) -> Tensor:
        """[T] int64: the role of each token's segment."""
        return torch.tensor([int(s.role) for s in self.segments])[self.block]

    @cached_property
    def positions(self) -> Tensor:
        """[T] int64: where each token stands in its segment's frame."""
        starts = [s.start if s.origin < 0 else s.origin for s in self.segments]
        return torch.cat([torch.arange(a, a + s.end - s.start) for a, s in zip(starts, self.segments, strict=True)])

    def is_settled(self, slot: int) -> bool:
        where = self.slots[slot]
        return not bool(self.open[where.start : where.end].any())

    def commit(self, where: Tensor, tokens: Tensor, source: Tensor) -> Canvas:
        """Fill the open places of `where` [T] bool with `tokens` and `source` [T]; FIXED and FILLED places stay."""
        where = where & self.open
        return replace(
            self,
            tokens=torch.where(where, tokens, self.tokens),
            source=torch.where(where, source, self.source),
            state=torch.where(where, State.FILLED, self.state),
        )

    def write(self, slot: int, words: Sequence[int]) -> Canvas:
        """The open `slot` as a step that settled it would have left it: `words` as far as they fit, what is surplus deleted."""
        where = self.slots[slot]
        length, tokens = where.end - where.start, self.tokens.clone()
        tokens[where.start : where.end] = torch.tensor(padded(words, length, self.marks.delete))
        return self.commit(self.slot_mask([slot]), tokens, torch.full_like(self.source, -1))

    def reopen(self, where: Tensor) -> Canvas:
        """Turn the filled places of `where` [T] bool back into masks; FIXED places stay."""
        where = where & (self.state == State.FILLED)
        return replace(
            self,
            tokens=torch.where(where, self.marks.mask, self.tokens),
            source=torch.where(where, -1, self.source),
            state=torch.where(where, State.OPEN, self.state),
        )

    def slot_mask(self, slots: Sequence[int]) -> Tensor:
        """[T] bool: the places of the slots named by index."""
        where = torch.zeros(len(self), dtype=torch.bool)
        for index in slots:
            where[self.slots[index].start : self.slots[index].end] = True
        return where

    def fill(self, slot: int, tokenizer: Decoder) -> Fill | None:
        """What stands in `slot`: words in their source's letters when copied, else decoded; None while it is open."""
        if not self.is_settled(slot):
            return None
        where = range(self.slots[slot].start, self.slots[slot].end)
        kept = [i for i in where if int(self.tokens[i]) != self.marks.delete]
        sources = [int(self.source[i]) for i in kept]
        if not sources or min(sources) < 0:
            return Fill(tokenizer.decode([int(self.tokens[i]) for i in kept]))
        segment = self.segments[int(self.block[sources[0]])]
        if self.slots[slot].spec.kind is MaskKind.CITE:
            return Fill(segment.name, segment.name)
        start, end = int(self.characters[sources[0], 0]), int(self.characters[sources[-1], 1])
        return Fill(segment.text[start:end], segment.name, segment.offset + start, segment.offset + end)

    def replace(self, start: int, end: int, tokens: Sequence[int]) -> Canvas:
        """Put fixed `tokens` in the place of rows [start, end) of one segment; slots that lie wholly inside go with them."""
        self._check_slots(start, end)
        return self._splice(start, end, Rows.fixed(tokens, self), self._segment_at(start, end))

    def hole(self, start: int, end: int, spec: SlotSpec) -> Canvas:
        """Turn rows [start, end) of the draft into an open slot of `spec` of the same length: a typed mask over written words."""
        owner = self._segment_at(start, end)
        if self.segments[owner].role is not Role.DRAFT:
            raise ValueError("only the draft can be opened: question and evidence are what it is measured by")
        self._check_slots(start, end)
        made = self._splice(start, end, Rows.opened(end - start, spec.kind, self), owner)
        slots = sorted([*made.slots, Slot(spec, start, end)], key=lambda s: s.start)
        return replace(made, slots=tuple(slots))

    def resize(self, slot: int, length: int) -> Canvas:
        """Give an open slot `length` places (>= 1): rows are added or taken away at its end. ValueError when those are filled."""
        where = self.slots[slot]
        keep = min(length, where.end - where.start)
        if length < 1 or not bool(self.open[where.start + keep : where.end].all()):
            raise ValueError(
                f"slot {slot} cannot have {length} places: only open places can be taken away, and not all"
            )
        rows = Rows.opened(length - keep, where.spec.kind, self)
        made = self._splice(where.start + keep, where.end, rows, self._segment_at(where.start, where.end))
        return replace(
            made, slots=tuple(replace(s, end=s.start + length) if n == slot else s for n, s in enumerate(made.slots))
        )

    def spread(self, place: int, count: int) -> Canvas:
        """One open place of a slot becomes `count` open places; 0 takes it away. ValueError when none would be left."""
        where = next((s for s in self.slots if s.start <= place < s.end), None)
        length = where.end - where.start if where else 0
        if where is None or not bool(self.open[place]) or count < 0 or length + count < 2:
            raise ValueError(f"row {place} cannot become {count} places: it must be open, and a slot keeps one place")
        rows = Rows.opened(max(count - 1, 0), where.spec.kind, self)
        made = self._splice(place + min(count, 1), place + 1, rows, self._segment_at(where.start, where.end))
        wider = replace(where, end=where.end + count - 1)
        return replace(made, slots=tuple(wider if s.start == where.start else s for s in made.slots))

    def insert(self, at: int, segment: Segment, rows: Rows) -> Canvas:
        """Put a new segment before segment number `at`; `segment` gives role, text and frame, its bounds are computed."""
        place = self.segments[at].start if at < len(self.segments) else len(self)
        empty = replace(segment, start=place, end=place)
        with_empty = replace(self, segments=(*self.segments[:at], empty, *self.segments[at:]))
        return with_empty._splice(place, place, rows, at)

    def delete(self, at: int) -> Canvas:
        """Take segment number `at` away, with the slots in it; words copied from it stay, and forget where from."""
        gone = self.segments[at]
        made = self._splice(gone.start, gone.end, Rows.fixed([], self), at)
        return replace(made, segments=(*made.segments[:at], *made.segments[at + 1 :]))

    def _segment_at(self, start: int, end: int) -> int:
        for number, segment in enumerate(self.segments):
            if segment.start <= start and end <= segment.end:
                return number
        raise ValueError(f"rows {start} to {end} are not of one segment")

    def _check_slots(self, start: int, end: int) -> None:
        if any(s.start < end and start < s.end and not (start <= s.start and s.end <= end) for s in self.slots):
            raise ValueError(f"rows {start} to {end} cut a slot in two; take the whole slot")

    def _splice(self, start: int, end: int, rows: Rows, owner: int) -> Canvas:
        """Rows [start, end) of segment `owner` become `rows`; everything behind them moves."""
        size, shift = len(rows.tokens), len(rows.tokens) - (end - start)

        def joined(name: str) -> Tensor:
            old, new = getattr(self, name), getattr(rows, name)
            return torch.cat([old[:start], new.to(old.dtype), old[end:]])

        source = torch.cat([self.source[:start], torch.full((size,), -1), self.source[end:]])
        removed = (source >= start) & (source < end)
        source = torch.where(removed, -1, torch.where(source >= end, source + shift, source))
        segments = [
            replace(s, start=s.start + shift * (n > owner), end=s.end + shift * (n >= owner))
            for n, s in enumerate(self.segments)
        ]
        slots = [
            Slot(s.spec, s.start + shift * (s.start >= end), s.end + shift * (s.start >= end))
            for s in self.slots
            if not (start <= s.start and s.end <= end)
        ]
        return replace(
            self,
            tokens=joined("tokens"),
            kinds=joined("kinds"),
            state=joined("state"),
            characters=joined("characters"),
            ids=joined("ids"),
            source=source,
            segments=tuple(segments),
            slots=tuple(slots),
            fresh=self.fresh + size,
        )


@dataclass(frozen=True)
class Rows:
    """New rows of a canvas, [N] each (characters [N, 2])."""

    tokens: Tensor
    kinds: Tensor
    state: Tensor
    characters: Tensor
    ids: Tensor

    @staticmethod
    def fixed(tokens: Sequence[int], canvas: Canvas, characters: Sequence[tuple[int, int]] | None = None) -> Rows:
        size = len(tokens)
        places = torch.tensor(characters) if characters else torch.full((size, 2), -1)
        ids = torch.arange(canvas.fresh, canvas.fresh + size)
        zeros = torch.zeros(size, dtype=torch.int8)
        return Rows(torch.tensor(list(tokens), dtype=torch.long), zeros, zeros, places, ids)

    @staticmethod
    def opened(size: int, kind: MaskKind, canvas: Canvas) -> Rows:
        rows = Rows.fixed([canvas.marks.mask] * size, canvas)
        return replace(rows, kinds=torch.full((size,), int(kind)), state=torch.full((size,), int(State.OPEN)))


Piece = str | SlotSpec


def padded(words: Sequence[int], length: int, delete: int) -> list[int]:
    """`words` as the row of a slot of `length` places."""
    return [*words[:length], *[delete] * (length - len(words))]


class Sheet:
    """Rows of a canvas while it is being built: `put` tokens, `slot` holes, `close` each segment, then take the `canvas`."""

    def __init__(self, marks: Marks):
        self.marks = marks
        self.rows: list[tuple[int, int, int, int, int]] = []
        self.segments: list[Segment] = []
        self.slots: list[Slot] = []
        self._start = 0

    @property
    def size(self) -> int:
        """Rows of the segment that is being built."""
        return len(self.rows) - self._start

    def put(self, token: int, characters: tuple[int, int] = (-1, -1)) -> None:
        self.rows.append((token, int(MaskKind.FIXED), int(State.FIXED), *characters))

    def slot(self, spec: SlotSpec) -> None:
        start = len(self.rows)
        self.rows += [(self.marks.mask, int(spec.kind), int(State.OPEN), -1, -1)] * spec.length
        self.slots.append(Slot(spec, start, len(self.rows)))

    def close(self, role: Role, text: str, name: str = "", offset: int = 0, origin: int = -1) -> None:
        self.segments.append(Segment(role, self._start, len(self.rows), text, name, offset, origin))
        self._start = len(self.rows)

    def canvas(self) -> Canvas:
        columns = torch.tensor(self.rows)
        return Canvas(
            tokens=columns[:, 0].contiguous(),
            kinds=columns[:, 1].to(torch.int8),
            state=columns[:, 2].to(torch.int8),
            source=torch.full((len(self.rows),), -1),
            characters=columns[:, 3:5].contiguous(),
            ids=torch.arange(len(self.rows)),
            segments=tuple(self.segments),
            slots=tuple(self.slots),
            marks=self.marks,
            fresh=len(self.rows),
        )
