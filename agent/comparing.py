"""Things told apart by a table: the cells of their rows, by column or by what is asked of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import Field, Row, Table
from palimpsest.retrieval.types import Passage, is_unnamed

from .asking import FUNCTION_WORDS
from .computing import BLANK
from .matching import LONG_NAME, forms, without_unit
from .selection import Chosen, Sentence

Means = Callable[[str, Sequence[str]], str]  # words and names of columns: the column that they surely mean, or ""
MOST_COMPARED = 8  # columns of a table side by side: cells are short
SAID_NONE = "none"  # no figure to compute with; of two things side by side it says what the other has


def compared(
    question: str, things: Sequence[str], attributes: Sequence[str], tables: Sequence[Table], means: Means
) -> dict[tuple[str, str], Chosen]:
    """The cells by which the rows of one table tell things apart: by thing and column, or by thing and attribute that a column names or
    surely means.

    Of the first table that has one row for each thing, in one of its columns; an attribute's cell has its column ahead. Where no table
    has all of them, what tables say of an attribute in the only row that is called as a thing is.
    """
    asked = set(forms(question))
    held = {p.id: p for table in tables for p in table.passages}
    for table in tables:
        named = {thing: _rows_of(thing, asked, table) for thing in things}
        if not things or any(len(rows) != 1 for rows in named.values()):
            continue
        rows = {thing: found[0][1] for thing, found in named.items()}
        own = {found[0][0] for found in named.values()}
        if len(own) == 1 and len({row.number for row in rows.values()}) == len(things):
            columns = [c for c in table.columns if c not in own and not is_unnamed(c)][:MOST_COMPARED]
            pairs = _by_attribute(attributes, columns, means) if attributes else {c: c for c in columns}
            return _cells_of(rows, pairs, held, with_name=bool(attributes))
    found: dict[tuple[str, str], Chosen] = {}
    for table in tables if attributes else ():
        pairs = _by_attribute(attributes, table.columns, means)
        called = {t: [(f, row) for f, row in _rows_of(t, asked, table) if _is_called(row, f, asked)] for t in things}
        rows = {thing: named[0][1] for thing, named in called.items() if len(named) == 1}
        found = _cells_of(rows, pairs, held, with_name=True) | found
    return found


def _cells_of(
    rows: Mapping[str, Row], columns: Mapping[str, str], held: Mapping[str, Passage], with_name: bool
) -> dict[tuple[str, str], Chosen]:
    """By thing and name of a column what stands there in the thing's row, if anything does."""
    return {
        (thing, name): _piece(held[cell.passage], cell, with_name)
        for thing, row in rows.items()
        for name, column in columns.items()
        if (cell := row.get(column)) and cell.text.lower() not in BLANK - {SAID_NONE}
    }


def _is_called(row: Row, column: str, asked: set[str]) -> bool:
    """Whether the question has all words of what stands in a column of a row."""
    cell = row.get(column)
    return cell is not None and set(forms(cell.text)) <= asked


def _rows_of(thing: str, asked: set[str], table: Table) -> list[tuple[str, Row]]:
    """The rows of a table of which a cell is called as a thing is, each with the column of that cell.

    By its whole name in the question: "the Blue room" may be compared as "Blue"; else by the only short cell that holds all words of
    the thing: "air-source" is the "air-source heat pump".
    """
    wanted = set(forms(thing))
    held = [(f, row) for row in table.rows for f in row.fields if wanted <= set(forms(f.text))]
    whole = [(f.name, row) for f, row in held if set(forms(f.text)) <= asked]
    part = [(f.name, row) for f, row in held if len(forms(f.text)) <= LONG_NAME]
    return whole or part


def _by_attribute(attributes: Sequence[str], columns: Sequence[str], means: Means) -> dict[str, str]:
    """The column that names each attribute, all words of the one in the other, else one that it means; none where several do."""
    fitting = {attribute: _named(attribute, columns) for attribute in attributes}
    named = {attribute: own[0] for attribute, own in fitting.items() if len(own) == 1}
    meant = {a: c for a, own in fitting.items() if not own and (c := means(a, columns))}
    taken = Counter((*named.values(), *meant.values()))
    return named | {attribute: column for attribute, column in meant.items() if taken[column] == 1}


def _named(attribute: str, columns: Sequence[str]) -> list[str]:
    asked = set(tokens(attribute)) - FUNCTION_WORDS
    words = {c: set(tokens(without_unit(c))) - FUNCTION_WORDS for c in columns}
    return [c for c, own in words.items() if asked and own and (own <= asked or asked <= own)]


def _piece(passage: Passage, cell: Field, with_name: bool) -> Chosen:
    start = cell.start - len(f"{cell.name}: ") if with_name else cell.start
    return Chosen((Sentence(passage, start, cell.end, rank=1),), score=1.0)
