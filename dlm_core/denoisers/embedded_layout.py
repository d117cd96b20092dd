"""How the embedded model reads a canvas: question, passages and draft each in a position frame of its own."""

from __future__ import annotations

from collections.abc import Sequence

from ..canvas.canvas import Canvas, Marks, Piece, Role, Rows, Segment, Sheet
from ..canvas.tokenizer import (
    CLS,
    DELETE,
    DRAFT,
    FIRST_PASSAGE_ROW,
    HOLE,
    MASK,
    MAX_PASSAGES,
    NONE,
    SEP,
    Encoding,
    Tokenizer,
)

QUESTION_POSITIONS = (0, 64)
DRAFT_POSITIONS = (64, 256)
PASSAGE_POSITIONS = (256, 512)
MAX_PASSAGE_TOKENS = PASSAGE_POSITIONS[1] - PASSAGE_POSITIONS[0] - 2
BLOCK_TOKENS = DRAFT_POSITIONS[1] - DRAFT_POSITIONS[0] - 2  # of a draft, between its opener and its closing mark
MARKS = Marks(MASK, DELETE, NONE)


def build_canvas(
    tokenizer: Tokenizer,
    question: Sequence[Piece],
    passages: Sequence[tuple[str, str]],
    draft: Sequence[Piece],
) -> Canvas:
    """A fresh canvas of question, (id, text) passages and a draft of words and slots; every slot is open.

    A slot in the question is one HOLE token: it shows the evidence where the draft has a hole. A passage of more than
    MAX_PASSAGE_TOKENS is shown as several segments of the same name. A draft of any length is built in blocks. ValueError when
    there are more than MAX_PASSAGES segments of passages.
    """
    sheet = Sheet(MARKS)
    _question(sheet, tokenizer, question)
    number = 0
    for name, text in passages:
        encoding = tokenizer.encode(text)
        for first in range(0, max(len(encoding.ids), 1), MAX_PASSAGE_TOKENS):
            _passage(sheet, number, name, text, encoding, first)
            number += 1
    _draft(sheet, tokenizer, draft)
    return sheet.canvas()


def fit(tokenizer: Tokenizer, passages: Sequence[tuple[str, str]]) -> int:
    """How many of `passages`, from the first, stand whole on one canvas: each takes a mark for every MAX_PASSAGE_TOKENS.

    ValueError when there are some and none does.
    """
    number, marks = 0, 0
    for _, text in passages:
        marks += -(-max(len(tokenizer.encode(text).ids), 1) // MAX_PASSAGE_TOKENS)
        if marks > MAX_PASSAGES:
            break
        number += 1
    if passages and not number:
        raise ValueError(
            f"a passage that needs {marks} of {MAX_PASSAGES} marks does not fit; cut it into smaller passages"
        )
    return number


def attach(canvas: Canvas, tokenizer: Tokenizer, name: str, text: str) -> Canvas:
    """The canvas with one more passage, of at most MAX_PASSAGE_TOKENS, before the draft; no other row changes."""
    held = {int(canvas.tokens[s.start]) for s in canvas.segments if s.role is Role.EVIDENCE}
    free = next((n for n in range(MAX_PASSAGES) if FIRST_PASSAGE_ROW + n not in held), MAX_PASSAGES)
    sheet = Sheet(MARKS)
    encoding = tokenizer.encode(text)
    if len(encoding.ids) > MAX_PASSAGE_TOKENS:
        raise ValueError(f"{name} has {len(encoding.ids)} tokens; attach passages of at most {MAX_PASSAGE_TOKENS}")
    _passage(sheet, free, name, text, encoding, 0)
    built = sheet.canvas()
    rows = Rows.fixed(built.tokens.tolist(), canvas, [tuple(c) for c in built.characters.tolist()])
    at = next(n for n, s in enumerate(canvas.segments) if s.role is Role.DRAFT)
    return canvas.insert(at, built.segments[0], rows)


def detach(canvas: Canvas, name: str) -> Canvas:
    """The canvas without the passage `name`; no other row changes."""
    for number in reversed(range(len(canvas.segments))):
        segment: Segment = canvas.segments[number]
        if segment.role is Role.EVIDENCE and segment.name == name:
            canvas = canvas.delete(number)
    return canvas


def _question(sheet: Sheet, tokenizer: Tokenizer, pieces: Sequence[Piece]) -> None:
    first, last = QUESTION_POSITIONS
    ids = [i for p in pieces for i in (tokenizer.encode(p).ids if isinstance(p, str) else [HOLE])]
    # A question of over 62 pieces keeps its head and its end, where the thing asked for usually stands.
    room = last - first - 2
    ids = ids if len(ids) <= room else ids[: room - 16] + ids[-16:]
    for token in [CLS, *ids, SEP]:
        sheet.put(token)
    sheet.close(Role.QUESTION, "".join(p for p in pieces if isinstance(p, str)), origin=first)


def _passage(sheet: Sheet, number: int, name: str, text: str, encoding: Encoding, first: int) -> None:
    if number >= MAX_PASSAGES:
        raise ValueError(f"a canvas holds at most {MAX_PASSAGES} passages; show fewer at once")
    sheet.put(FIRST_PASSAGE_ROW + number)
    last = min(first + MAX_PASSAGE_TOKENS, len(encoding.ids))
    offset = encoding.offsets[first][0] if first else 0
    for i in range(first, last):
        begin, end = encoding.offsets[i]
        sheet.put(encoding.ids[i], (begin - offset, end - offset))
    sheet.put(SEP)
    sheet.close(Role.EVIDENCE, text[offset:], name, offset, PASSAGE_POSITIONS[0])


def _draft(sheet: Sheet, tokenizer: Tokenizer, pieces: Sequence[Piece]) -> None:
    """The draft in blocks of at most DRAFT_POSITIONS, each a segment in the same frame; a slot is never cut in two."""
    first, last = DRAFT_POSITIONS
    room = last - first - 1  # the closing mark
    sheet.put(DRAFT)

    def make_room(size: int) -> None:
        if sheet.size + size > room:
            sheet.put(SEP)
            sheet.close(Role.DRAFT, "", origin=first)
            sheet.put(DRAFT)

    for piece in pieces:
        if isinstance(piece, str):
            for token in tokenizer.encode(piece).ids:
                make_room(1)
                sheet.put(token)
        else:
            if piece.length > room - 1:
                raise ValueError(
                    f"a slot of {piece.length} places does not fit in {room - 1}; give it a smaller length"
                )
            make_room(piece.length)
            sheet.slot(piece)
    sheet.put(SEP)
    sheet.close(Role.DRAFT, "".join(p for p in pieces if isinstance(p, str)), origin=first)
