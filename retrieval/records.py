"""Tables as records: rows put together again from the passages that hold them, and forms as a record of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import NamedTuple

from .types import Block, Cell, Document, Passage, Source, is_unnamed


class Field(NamedTuple):
    """A value under its name: the source's text[start:end], which stands in the passage of this id."""

    name: str
    text: str
    passage: str
    start: int
    end: int


@dataclass(frozen=True)
class Row:
    """One record. `number` counts from 1 in its table; [start, end) is the row in its source's text, `passage` holds it."""

    number: int
    passage: str
    start: int
    end: int
    fields: tuple[Field, ...]

    def get(self, column: str) -> Field | None:
        return next((f for f in self.fields if f.name == column), None)


@dataclass(frozen=True)
class Table:
    """Rows of the same columns. `about` are the words around it: its source's title, headings and captions.

    A form is a table of one row; a numbered list one of the columns NUMBER and ITEM. `heads` are the cells that name the columns of a
    table that was turned.
    """

    id: str
    source: Source
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    passages: tuple[Passage, ...]
    about: str = ""
    is_form: bool = False
    heads: tuple[Field, ...] = ()

    @property
    def name(self) -> str:
        """The title of its source, with the heading that it stands under: a workbook has several sheets."""
        title, heading = self.source.title, (self.passages[0].path or ("",))[-1]
        return title if heading.casefold() in ("", title.casefold()) else f"{title}, {heading}"


NUMBER, ITEM = "number", "item"  # columns of a numbered list


def tables(passages: Iterable[Passage]) -> list[Table]:
    """The tables and forms whose rows stand in passages of one or several documents, each put together from all that are given."""
    found = []
    kept = [p for p in passages if p.kind in ("row", "field") and p.cells]
    for _, alike in groupby(sorted(kept, key=_key), key=_key):
        pieces = sorted(alike, key=lambda p: p.start)
        found.append(_form(pieces) if pieces[0].kind == "field" else _table(pieces))
    return found


def _key(passage: Passage) -> tuple[str, str, int, tuple[str, ...]]:
    is_form = passage.kind == "field"
    return passage.source.id, passage.kind, passage.table or 0, passage.path if is_form else ()


def table_id(passage: Passage) -> str:
    """The id of the table that a passage's rows belong to."""
    return f"{passage.source.id}.{passage.kind}.{passage.table or 0}" + (
        "." + "/".join(passage.path) if passage.kind == "field" else ""
    )


def _table(pieces: Sequence[Passage]) -> Table:
    rows: list[Row] = []
    for piece in pieces:
        for start, end in piece.sentences:
            fields = tuple(_field(piece, c) for c in piece.cells if start <= c.start and c.end <= end)
            if fields:
                rows.append(Row(len(rows) + 1, piece.id, start, end, fields))
    columns = tuple(dict.fromkeys(f.name for row in rows for f in row.fields))
    first = pieces[0]
    about = " ".join((first.source.title, *first.path))
    return Table(table_id(first), first.source, columns, tuple(rows), tuple(pieces), about)


def _form(pieces: Sequence[Passage]) -> Table:
    fields = tuple(_field(piece, cell) for piece in pieces for cell in piece.cells)
    first = pieces[0]
    row = Row(1, first.id, fields[0].start, fields[-1].end, fields)
    columns = tuple(dict.fromkeys(f.name for f in fields))
    about = " ".join((first.source.title, *first.path))
    return Table(table_id(first), first.source, columns, (row,), tuple(pieces), about, is_form=True)


def _field(passage: Passage, cell: Cell) -> Field:
    text = passage.text[cell.start - passage.start : cell.end - passage.start]
    return Field(cell.name, text, passage.id, cell.start, cell.end)


def turned(table: Table) -> Table | None:
    """A table with its columns as rows and its rows as columns; None where its first column does not tell the rows apart."""
    first, *others = table.columns or ("",)
    heads = [cell for row in table.rows if (cell := row.get(first))]
    if not others or len({cell.text for cell in heads}) < len(table.rows):
        return None
    rows: list[Row] = []
    for column in others:
        held = [(head, cell) for head, row in zip(heads, table.rows, strict=True) if (cell := row.get(column))]
        name = name_of(held[0][1])._replace(name=first)
        fields = (name, *(cell._replace(name=head.text) for head, cell in held))
        rows.append(Row(len(rows) + 1, name.passage, name.start, held[-1][1].end, fields))
    columns = (first, *(head.text for head in heads))
    return replace(table, columns=columns, rows=tuple(rows), heads=tuple(heads))


def name_of(cell: Field) -> Field:
    """The name of a column where it stands ahead of a cell in a record."""
    end = cell.start - len(": ")
    return Field("", cell.name, cell.passage, end - len(cell.name), end)


def is_cell(text: str, cell: Cell) -> bool:
    """Whether a value stands in a text as records are written: behind its column's name, where the column has one, up to the next."""
    named = cell.name and not is_unnamed(cell.name)
    ahead = f"{cell.name}: " if named else ""
    return text[max(cell.start - len(ahead), 0) : cell.start] == ahead and text[cell.end : cell.end + 1] in (
        "",
        ";",
        "\n",
    )


def tables_of(document: Document, passages: Sequence[Passage]) -> list[Table]:
    """The tables of a whole document, with the captions beside them, and its numbered lists."""
    found = []
    for table in tables(passages):
        captions = _captions(document, table.passages[0])
        found.append(_with(table, captions))
    return found + _lists(document, passages)


def _with(table: Table, captions: Sequence[str]) -> Table:
    about = " ".join((table.about, *captions))
    return replace(table, about=about)


def _captions(document: Document, first: Passage) -> list[str]:
    """Captions right above a table, and those of its groups of rows."""
    above: list[Block] = []
    for block in document.blocks:
        if block.start >= first.start:
            break
        above = [*above, block] if block.kind == "caption" else []
    return [document.text[b.start : b.end] for b in above]


def _lists(document: Document, passages: Sequence[Passage]) -> list[Table]:
    """Runs of items with numbers of their own, under one heading."""
    found = []
    items = [b for b in document.blocks if b.kind == "item" and _ordinal(b.label) and b.level <= 1]
    for path, run in groupby(items, key=lambda b: b.path):
        blocks = list(run)
        rows = [row for number, b in enumerate(blocks, 1) if (row := _item(document, b, number, passages))]
        if len(rows) > 1:
            about = " ".join((document.source.title, *path))
            held = tuple(dict.fromkeys(r.passage for r in rows))
            pieces = tuple(p for p in passages if p.id in held)
            name = f"{document.source.id}.list.{blocks[0].start}"
            found.append(Table(name, document.source, (NUMBER, ITEM), tuple(rows), pieces, about))
    return found


def _ordinal(label: str) -> str:
    plain = label.strip("().:- \t")
    return plain if plain.isdigit() else ""


def _item(document: Document, block: Block, number: int, passages: Sequence[Passage]) -> Row | None:
    passage = next((p for p in passages if p.start <= block.start and block.end <= p.end), None)
    if passage is None:
        return None
    label = _ordinal(block.label)
    at = document.text.find(label, block.start, block.end)
    text = next((s for s, e in passage.sentences if block.start <= s < block.end), block.start)
    fields = (
        Field(NUMBER, label, passage.id, at, at + len(label)),
        Field(ITEM, document.text[text : block.end], passage.id, text, block.end),
    )
    return Row(number, passage.id, text, block.end, fields)
