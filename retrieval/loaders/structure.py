"""What a parser hands on: text written block by block, each block with its place in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..types import BlockKind, DateOrigin, RetrievalError, is_unnamed
from .limits import Limits

# Characters that no reader prints and that SQLite or a tokenizer may stumble over; tab and newline stay.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]"
)
# Marks that turn the direction of what follows: they can make a quotation read as something else.
_DIRECTIONS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Box = tuple[float, float, float, float]


class Span(NamedTuple):
    """A field of a record: its name and the place of its value in the text."""

    name: str
    start: int
    end: int


@dataclass(slots=True)
class Piece:
    """A block before it becomes a `types.Block`; the same fields."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0
    label: str = ""
    path: tuple[str, ...] = ()
    page: int | None = None
    box: Box | None = None
    table: int | None = None
    row: int | None = None
    cells: tuple[Span, ...] = ()


@dataclass(frozen=True)
class Dated:
    """A date as it was written, and where."""

    text: str
    origin: DateOrigin


@dataclass(frozen=True)
class Extracted:
    """What a file says: text and blocks, what it says of itself, and what of it could not be read (sentences)."""

    text: str
    blocks: tuple[Piece, ...] = ()
    title: str = ""
    authors: tuple[str, ...] = ()
    dates: tuple[Dated, ...] = ()  # all that were found, in any order
    url: str = ""
    language: str = ""  # as the file declares it
    media_type: str = "text/plain"
    unread: tuple[str, ...] = ()


class TooMuch(Exception):
    """A limit of the document is reached; what was written so far stands."""


def clean(text: str) -> str:
    """Newlines as "\\n", no control characters, no lone surrogates, no marks that turn the reading direction."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x85", "\n")
    return _DIRECTIONS.sub("", UNPRINTABLE.sub("", text))


def one_line(text: str) -> str:
    return " ".join(clean(text).split())


_ENDS_A_SENTENCE = re.compile(r"[.!?:;…。！？][\"'”’»)\]\d]*$")


@dataclass
class Writer:
    """Writes blocks one after the other, a blank line between them, and keeps where each stands.

    Raises TooMuch at a limit; `finish` says so in the document.
    """

    limits: Limits = field(default_factory=Limits)
    blocks: list[Piece] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _num_tables: int = 0
    _num_cells: int = 0
    _headings: list[tuple[int, str]] = field(default_factory=list)

    def add(self, kind: BlockKind, text: str, **more: Any) -> Piece | None:
        """One block; text is put on one line unless it is code. A blank text is left out."""
        text = clean(text).strip("\n") if kind == "code" else one_line(text)
        if not text.strip():
            return None
        return self._append(Piece(kind, 0, 0, path=self.path, **more), text)

    def heading(self, text: str, level: int, **more: Any) -> None:
        text = one_line(text)
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        if self.add("heading", text, level=level, **more):
            self._headings.append((level, text[:300]))

    def item(self, text: str, label: str = "", level: int = 1, **more: Any) -> None:
        """A list item, its number as printed in front of it."""
        if one_line(text):
            self.add("item", f"{label} {text}", label=label, level=level, **more)

    def field(self, name: str, value: str, **more: Any) -> None:
        """A form field or a key with its value, as a record of one cell."""
        name, value = one_line(name).rstrip(": "), one_line(value)
        if name and value:
            self._record("field", [(name, value)], **more)
        else:
            self.add("paragraph", name or value, **more)

    def go_on(self, text: str, page: int) -> bool:
        """Whether `text` was joined to the last paragraph, as the rest of a sentence that the end of the page before cut in two."""
        last = next((block for block in reversed(self.blocks) if block.kind != "note"), None)
        text = one_line(text)
        if (
            last is None
            or last is not self.blocks[-1]
            or last.kind not in ("paragraph", "item")
            or last.page != page - 1
        ):
            return False
        if (
            _ENDS_A_SENTENCE.search(self._parts[-1][-6:])
            or not text[:1].isalnum()
            or (text[:1].isupper() and last.kind == "item")
        ):
            return False
        glue = "" if self._parts[-1][-1:] == "-" and text[:1].islower() else " "
        if not glue:  # a word that the page's end broke
            self._parts[-1] = self._parts[-1][:-1]
            self._length -= 1
        self._parts[-1] += glue + text
        self._length += len(glue + text)
        last.end = self._length
        return True

    def begin_table(self) -> int:
        self._num_tables += 1
        return self._num_tables

    def row(self, names: Sequence[str], values: Sequence[str], *, table: int, row: int, **more: Any) -> None:
        """A row as a record: "Name: Cy Ortega; Salary 2024: 33,900". Cells without a value are left out."""
        pairs = [(name, one_line(value)) for name, value in zip(names, values, strict=True)]
        self._record("row", [pair for pair in pairs if pair[1]], table=table, row=row, **more)

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(text for _, text in self._headings)

    def say(self, sentence: str) -> None:
        """Name something that could not be read."""
        if sentence not in self.unread:
            self.unread.append(sentence)

    def finish(self, **more: Any) -> Extracted:
        return Extracted("".join(self._parts), tuple(self.blocks), unread=tuple(self.unread), **more)

    def _record(self, kind: BlockKind, pairs: Iterable[tuple[str, str]], **more: Any) -> None:
        text, cells = "", []
        for name, value in pairs:
            text += ("; " if text else "") + (f"{name}: " if name and not is_unnamed(name) else "")
            cells.append(Span(name, len(text), len(text) + len(value)))
            text += value
        self._num_cells += len(cells)
        if self._num_cells > self.limits.cells:
            raise TooMuch(
                f"its tables have more than {self.limits.cells:,} cells; those after that are not read (raise reading.cells)"
            )
        if text:
            piece = self._append(Piece(kind, 0, 0, path=self.path, **more), text)
            piece.cells = tuple(Span(cell.name, piece.start + cell.start, piece.start + cell.end) for cell in cells)

    def _append(self, piece: Piece, text: str) -> Piece:
        if self._length + len(text) > self.limits.characters:
            raise TooMuch(
                f"it has more than {self.limits.characters:,} letters; those after that are not read (raise reading.characters)"
            )
        lead = "\n\n" if self._parts else ""
        piece.start = self._length + len(lead)
        piece.end = piece.start + len(text)
        self._parts.append(lead + text)
        self._length = piece.end
        self.blocks.append(piece)
        return piece


def unnamed(number: int) -> str:
    """The name of a column that has none; it is not written into the record."""
    return f"column {number}"


_SUPERSCRIPTS = str.maketrans("0123456789+-−()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁽⁾ⁿ")


def raised(before: str, mark: str, is_note: bool) -> str:
    """How a raised `mark` after `before` is written: a note's mark apart from the figure, an exponent as one."""
    mark = mark.strip()
    if is_note:
        return (" " if before[-1:].isdigit() else "") + f"[{mark.strip('[]()')}]"
    lifted = mark.translate(_SUPERSCRIPTS)
    return lifted if not any(map(str.isascii, lifted)) else mark


def broken(name: str, kind: str, mend: str, cause: BaseException | str) -> RetrievalError:
    """The error of a file that its reader refuses. What the reader said is told; an exception that a program has a name for is not."""
    reason = f" ({cause})" if isinstance(cause, str) and cause else ""
    return RetrievalError(f"{name} is {kind}{reason}; {mend}.")
