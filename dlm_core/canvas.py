"""The canvas: question, evidence and draft as one sheet of tokens, with typed holes that are known by their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import torch
from torch import Tensor

from .kinds import MaskKind, SlotSpec
from .tokenizer import (
    CLS,
    DELETE,
    DRAFT,
    FIRST_PASSAGE_ROW,
    HOLE,
    MASK,
    MAX_PASSAGES,
    SEP,
    Encoding,
    Tokenizer,
)

QUESTION_POSITIONS = (0, 64)
DRAFT_POSITIONS = (64, 256)
PASSAGE_POSITIONS = (256, 512)
MAX_PASSAGE_TOKENS = PASSAGE_POSITIONS[1] - PASSAGE_POSITIONS[0] - 2


class State(IntEnum):
    """Whether a place may change. A mask is known by this, never by its token id."""

    FIXED = 0
    OPEN = 1
    FILLED = 2


class Role(IntEnum):
    """The block a token stands in; also its row in the model's token-type table."""

    QUESTION = 0
    DRAFT = 1
    EVIDENCE = 2


@dataclass(frozen=True)
class Segment:
    """Tokens [start, end) of the canvas. An evidence segment shows `text` of a passage, `offset` characters into it."""

    role: Role
    start: int
    end: int
    text: str
    name: str = ""  # the passage id of evidence
    offset: int = 0


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


@dataclass(frozen=True)
class Canvas:
    """All tensors are [T]: tokens, positions, characters int64; kinds, state, block int8.

    `block` numbers the segments: a passage sees the question and its own block, the draft sees all. `source` is the canvas index
    that a filled token was copied from, -1 otherwise. `characters` [T, 2] are offsets into the segment's text, -1 for
    control tokens.
    """

    tokens: Tensor
    kinds: Tensor
    state: Tensor
    positions: Tensor
    block: Tensor
    source: Tensor
    characters: Tensor
    segments: tuple[Segment, ...]
    slots: tuple[Slot, ...]

    def __len__(self) -> int:
        return self.tokens.numel()

    @property
    def open(self) -> Tensor:
        return self.state == State.OPEN

    @property
    def roles(self) -> Tensor:
        """[T] int64: the role of each token's segment."""
        return torch.tensor([int(s.role) for s in self.segments])[self.block.long()]

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
            state=torch.where(where, torch.full_like(self.state, State.FILLED), self.state),
        )

    def reopen(self, where: Tensor) -> Canvas:
        """Turn the filled places of `where` [T] bool back into masks; FIXED places stay."""
        where = where & (self.state == State.FILLED)
        return replace(
            self,
            tokens=torch.where(where, torch.full_like(self.tokens, MASK), self.tokens),
            source=torch.where(where, torch.full_like(self.source, -1), self.source),
            state=torch.where(where, torch.full_like(self.state, State.OPEN), self.state),
        )

    def slot_mask(self, slots: Sequence[int]) -> Tensor:
        """[T] bool: the places of the slots named by index."""
        where = torch.zeros(len(self), dtype=torch.bool)
        for index in slots:
            where[self.slots[index].start : self.slots[index].end] = True
        return where

    def fill(self, slot: int, tokenizer: Tokenizer) -> Fill | None:
        """What stands in `slot`: words in their source's letters when copied, else decoded; None while it is open."""
        if not self.is_settled(slot):
            return None
        where = range(self.slots[slot].start, self.slots[slot].end)
        kept = [i for i in where if int(self.tokens[i]) != DELETE]
        sources = [int(self.source[i]) for i in kept]
        if not sources or min(sources) < 0:
            return Fill(tokenizer.decode([int(self.tokens[i]) for i in kept]))
        segment = self.segments[int(self.block[sources[0]])]
        if self.slots[slot].spec.kind is MaskKind.CITE:
            return Fill(segment.name, segment.name)
        start, end = int(self.characters[sources[0], 0]), int(self.characters[sources[-1], 1])
        return Fill(segment.text[start:end], segment.name, segment.offset + start, segment.offset + end)


Piece = str | SlotSpec


def lay(
    tokenizer: Tokenizer,
    question: Sequence[Piece],
    passages: Sequence[tuple[str, str]],
    draft: Sequence[Piece],
) -> Canvas:
    """Lay question, (id, text) passages and a draft of words and slots on a fresh canvas; every slot is open.

    A slot in the question is one HOLE token: it tells the evidence where the draft has a hole. A passage of more than
    MAX_PASSAGE_TOKENS is shown as several segments of the same name. ValueError when question or draft are too long or
    there are more than MAX_PASSAGES segments.
    """
    sheet = _Sheet(tokenizer)
    sheet.question(question)
    for name, text in passages:
        sheet.passage(name, text)
    sheet.draft(draft)
    return sheet.canvas()


class _Sheet:
    """Columns of a canvas while it is being laid."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        self.rows: list[tuple[int, int, int, int, int, int, int]] = []
        self.segments: list[Segment] = []
        self.slots: list[Slot] = []

    def _put(
        self, token: int, position: int, kind: MaskKind = MaskKind.FIXED, chars: tuple[int, int] = (-1, -1)
    ) -> None:
        state = State.FIXED if kind is MaskKind.FIXED else State.OPEN
        self.rows.append((token, int(kind), int(state), position, len(self.segments), *chars))

    def _close(self, role: Role, start: int, text: str, name: str = "", offset: int = 0) -> None:
        self.segments.append(Segment(role, start, len(self.rows), text, name, offset))

    def question(self, pieces: Sequence[Piece]) -> None:
        first, last = QUESTION_POSITIONS
        ids = [i for p in pieces for i in (self.tokenizer.encode(p).ids if isinstance(p, str) else [HOLE])]
        # A question of over 62 pieces keeps its head and its end, where the thing asked for usually stands.
        room = last - first - 2
        ids = ids if len(ids) <= room else ids[: room - 16] + ids[-16:]
        for position, token in enumerate([CLS, *ids, SEP]):
            self._put(token, first + position)
        self._close(Role.QUESTION, 0, "".join(p for p in pieces if isinstance(p, str)))

    def passage(self, name: str, text: str) -> None:
        encoding = self.tokenizer.encode(text)
        for first in range(0, max(len(encoding.ids), 1), MAX_PASSAGE_TOKENS):
            self._window(name, text, encoding, first)

    def _window(self, name: str, text: str, encoding: Encoding, first: int) -> None:
        number = sum(s.role is Role.EVIDENCE for s in self.segments)
        if number >= MAX_PASSAGES:
            raise ValueError(f"a canvas holds at most {MAX_PASSAGES} passages; show fewer at once")
        start, position = len(self.rows), PASSAGE_POSITIONS[0]
        self._put(FIRST_PASSAGE_ROW + number, position)
        last = min(first + MAX_PASSAGE_TOKENS, len(encoding.ids))
        offset = encoding.offsets[first][0] if first else 0
        for i in range(first, last):
            position += 1
            begin, end = encoding.offsets[i]
            self._put(encoding.ids[i], position, chars=(begin - offset, end - offset))
        self._put(SEP, position + 1)
        self._close(Role.EVIDENCE, start, text[offset:], name, offset)

    def draft(self, pieces: Sequence[Piece]) -> None:
        first, last = DRAFT_POSITIONS
        start = len(self.rows)
        self._put(DRAFT, first)
        for piece in pieces:
            if isinstance(piece, str):
                encoding = self.tokenizer.encode(piece)
                for token in encoding.ids:
                    self._put(token, first + len(self.rows) - start)
            else:
                slot = len(self.rows)
                for _ in range(piece.length):
                    self._put(MASK, first + len(self.rows) - start, piece.kind)
                self.slots.append(Slot(piece, slot, len(self.rows)))
        self._put(SEP, first + len(self.rows) - start)
        if len(self.rows) - start > last - first:
            raise ValueError(
                f"a draft of {len(self.rows) - start} tokens does not fit in {last - first}; lay fewer sentences"
            )
        self._close(Role.DRAFT, start, "".join(p for p in pieces if isinstance(p, str)))

    def canvas(self) -> Canvas:
        columns = torch.tensor(self.rows)
        return Canvas(
            tokens=columns[:, 0].contiguous(),
            kinds=columns[:, 1].to(torch.int8),
            state=columns[:, 2].to(torch.int8),
            positions=columns[:, 3].contiguous(),
            block=columns[:, 4].to(torch.int8),
            source=torch.full((len(self.rows),), -1),
            characters=columns[:, 5:7].contiguous(),
            segments=tuple(self.segments),
            slots=tuple(self.slots),
        )
