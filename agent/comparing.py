"""Things told apart by a table: the cells of their rows, or of their columns, by what is asked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import Field, Row, Table, name_of, turned
from palimpsest.retrieval.types import Passage, is_unnamed

from .asking import FUNCTION_WORDS
from .computing import BLANK
from .draft import copied_words
from .forms import CELL_CHARACTERS, Cell
from .matching import LONG_NAME, forms, without_unit
from .sentences import Chosen, Sentence

Means = Callable[[str, Sequence[str]], str]  # words and names of columns: the column that they surely mean, or ""
Columns = Mapping[str, Sequence[str]]  # by what is asked of things the names of the columns that tell it
MOST_COMPARED = 8  # columns of a table side by side: cells are short
SEVERAL = 2  # things of which a table has a row: such things are what it tells of
SAID_NONE = "none"  # no figure to compute with; of two things side by side it says what the other has


def compared(
    question: str, things: Sequence[str], attributes: Sequence[str], tables: Sequence[Table], means: Means
) -> dict[tuple[str, str], Cell]:
    """The cells by which one table tells things apart: by thing and column, or by thing and attribute that columns name or one surely
    means.

    Of tables that have one row, or one column, for each thing, the first that tells it; an attribute's cell has what names it ahead.
    Where no table has all of them, what tables say of an attribute in the rows, or columns, of those that have one, several of them,
    or in the only one that is called as a thing is.
    """
    asked = set(forms(question))
    held = {p.id: p for table in tables for p in table.passages}
    views = [view for table in tables for view in _views(table, things)]
    found: dict[tuple[str, str], Cell] = {}
    whole = [(table, *each) for table in views if (each := _row_of_each(things, asked, table))]
    for table, rows, own in whole:
        columns = [c for c in table.columns if c != own and not is_unnamed(c)]
        if not attributes:
            return _bare(rows, columns[:MOST_COMPARED], held)
        found = _cells_of(rows, _by_attribute(attributes, columns, means), table, held) | found
    for table in views if attributes and not whole else ():
        pairs = _by_attribute(attributes, [c for c in table.columns if not is_unnamed(c)], means)
        for rows, own in _rows_of_some(things, asked, table):  # what a thing is called tells nothing of it
            told = {attribute: [c for c in columns if c != own] for attribute, columns in pairs.items()}
            found = _cells_of(rows, told, table, held) | found
    return found


def _row_of_each(things: Sequence[str], asked: set[str], table: Table) -> tuple[dict[str, Row], str] | None:
    """The row of each thing and the column that holds what they are called; None where the table does not have one for each."""
    rows, own = _own_rows(things, asked, table)
    return (rows, own) if rows and len(rows) == len(things) else None


def _rows_of_some(things: Sequence[str], asked: set[str], table: Table) -> list[tuple[dict[str, Row], str]]:
    """The rows of the things that have one of their own, where several do, else of each that a row is called as; and the columns that
    hold what they are called.
    """
    rows, own = _own_rows(things, asked, table)
    if len(rows) >= SEVERAL:
        return [(rows, own)]
    called = {t: [(f, row) for f, row in _rows_of(t, asked, table) if _is_called(row, f, asked)] for t in things}
    return [({thing: named[0][1]}, named[0][0]) for thing, named in called.items() if len(named) == 1]


def _own_rows(things: Sequence[str], asked: set[str], table: Table) -> tuple[dict[str, Row], str]:
    """The row of each thing that has one of its own, and the column that holds what they are called; none where columns differ."""
    named = {thing: _rows_of(thing, asked, table) for thing in things}
    rows = {thing: found[0][1] for thing, found in named.items() if len(found) == 1}
    own = {found[0][0] for found in named.values() if found}
    is_one = len(own) == 1 and len({row.number for row in rows.values()}) == len(rows)
    return (rows, own.pop()) if is_one else ({}, "")


def _views(table: Table, things: Sequence[str]) -> list[Table]:
    """A table, and where one of its columns may be called as a thing is, the table turned as well."""
    columns = [set(forms(c)) for c in table.columns]
    names_one = any(set(forms(thing)) <= column for thing in things for column in columns)
    other = turned(table) if names_one and not table.is_form else None
    return [table, other] if other else [table]


def _bare(rows: Mapping[str, Row], columns: Sequence[str], held: Mapping[str, Passage]) -> dict[tuple[str, str], Cell]:
    """By thing and column what stands there in the thing's row, if anything does."""
    return {
        (thing, column): (_piece(held[cell.passage], cell.start, cell.end),)
        for thing, row in rows.items()
        for column in columns
        if (cell := row.get(column)) and _says(cell)
    }


def _cells_of(
    rows: Mapping[str, Row], columns: Columns, table: Table, held: Mapping[str, Passage]
) -> dict[tuple[str, str], Cell]:
    """By thing and attribute what its columns say in the row of the thing, each behind its name; none where that is long."""
    found: dict[tuple[str, str], Cell] = {}
    for thing, row in rows.items():
        for attribute, names in columns.items():
            cells = [cell for name in names if (cell := row.get(name)) and _says(cell)]
            pieces = _named_pieces(cells, table, held)
            if pieces and len(copied_words([p.text for p in pieces])) <= CELL_CHARACTERS:
                found[thing, attribute] = pieces
    return found


def _named_pieces(cells: Sequence[Field], table: Table, held: Mapping[str, Passage]) -> Cell:
    """Cells behind their names: one with the name right ahead of it is one piece."""
    if len(cells) == 1 and not table.heads:
        (cell,) = cells
        return (_piece(held[cell.passage], name_of(cell).start, cell.end),)
    heads = {head.text: head for head in table.heads}
    both = ((heads.get(cell.name) or name_of(cell), cell) for cell in cells)
    return tuple(_piece(held[place.passage], place.start, place.end) for pair in both for place in pair)


def _says(cell: Field) -> bool:
    return cell.text.lower() not in BLANK - {SAID_NONE}


def _is_called(row: Row, column: str, asked: set[str]) -> bool:
    """Whether the question has all words of what stands in a column of a row."""
    cell = row.get(column)
    return cell is not None and set(forms(cell.text)) <= asked


def _rows_of(thing: str, asked: set[str], table: Table) -> list[tuple[str, Row]]:
    """The rows of a table of which a cell is called as a thing is, each with the column of that cell.

    By its whole name in the question: "the Blue room" may be compared as "Blue"; else by the only short cell that holds all words of
    the thing: "air-source" is the "air-source heat pump", and "candles" are "Paraffin candles, 350 per ha".
    """
    wanted = set(forms(thing))
    held = [(f, row) for row in table.rows for f in row.fields if wanted <= set(forms(f.text))]
    whole = [(f.name, row) for f, row in held if set(forms(f.text)) <= asked]
    part = [
        (f.name, row)
        for f, row in held
        if wanted <= set(ahead := forms(f.text.partition(",")[0])) and len(ahead) <= LONG_NAME
    ]
    return whole or part


def _by_attribute(attributes: Sequence[str], columns: Sequence[str], means: Means) -> Columns:
    """The columns that name each attribute, else the one that it means; a column that is named is meant by no other words."""
    named = {attribute: own for attribute in attributes if (own := _named(attribute, columns))}
    meant = {a: c for a in attributes if a not in named and (c := means(a, columns))}
    taken = Counter((*(column for own in named.values() for column in own), *meant.values()))
    return named | {attribute: (column,) for attribute, column in meant.items() if taken[column] == 1}


def _named(attribute: str, columns: Sequence[str]) -> tuple[str, ...]:
    """The column of an attribute's words, else all that have them among theirs, else the only one whose words are among its."""
    asked = set(tokens(attribute)) - FUNCTION_WORDS
    words = {c: own for c in columns if (own := set(tokens(without_unit(c))) - FUNCTION_WORDS)}
    whole = tuple(c for c, own in words.items() if own == asked)
    wider = tuple(c for c, own in words.items() if asked and asked <= own)
    narrower = tuple(c for c, own in words.items() if own <= asked)
    return whole[:1] if len(whole) == 1 else wider or (narrower if len(narrower) == 1 else ())


def _piece(passage: Passage, start: int, end: int) -> Chosen:
    return Chosen((Sentence(passage, start, end, rank=1),), score=1.0)
