"""Grids of cells to records: which lines are titles, which rows name the columns, what each row says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .names import as_words
from .structure import Box, Writer, one_line, unnamed

Grid = list[list[str]]

_MAX_HEADER_ROWS = 4
_NUM_SAMPLED = 200  # rows that are looked at to tell what a column holds
# A figure with its sign, currency, unit or percent; a date in digits; a clock time.
_FIGURE = re.compile(
    r"[-+−–±~<>≈(]{0,2}\s?(?:[A-Z]{3}|[€$£¥₹₽]|US\$)?\s?[-+−]?\d[\d\s.,'’/:\-–−%]{0,40}\)?\s?(?:[^\W\d_]{1,4}\.?|[%‰°€$£¥₹₽]|°[CF])?\s?\*{0,3}"
)
_YEAR = re.compile(r"(?:FY|Q[1-4]|H[12])?\s?'?(?:1[6-9]|20|21)\d\d(?:\s?[-/–]\s?\d{2,4})?(?:\s?(?:Q[1-4]|H[12]))?")
_BRACKETED = re.compile(r"[(\[][^()\[\]]{1,20}[)\]]|in [^\W\d_]{1,12}|[%‰°€$£¥]|°[CF]")
_BLANKS = frozenset({"", "-", "–", "—", "n/a", "na", "null", "none", "nan", ".", "…", "?", "tbd", "k. a.", "n.a."})


@dataclass(frozen=True)
class Table:
    """`titles` are the lines above the header; `names` one a column; `rows` as long as `names`."""

    titles: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    is_pairs: bool = False  # two columns of label and value, without a header
    notes: tuple[str, ...] = field(default=())


def write_tables(
    writer: Writer,
    grid: Sequence[Sequence[str]],
    *,
    header_rows: int | None = None,
    headers_expected: bool = False,
    boxes: Sequence[Box | None] = (),
    **more: Any,
) -> None:
    """The tables of a grid as records; blank rows part tables where what follows has a header of its own.

    `header_rows` is known where the format marks the header; `headers_expected` says that a table of words alone has one; `boxes`
    says where each row of the grid stands on its page, where that is known.
    """
    places = zip(map(_filled, trimmed(grid)), boxes, strict=False)
    for part in _parts(trimmed(grid)):
        _write(writer, understood(part, header_rows=header_rows, headers_expected=headers_expected), places, **more)


def _filled(row: Sequence[str]) -> list[str]:
    return [cell for cell in row if cell]


def _write(writer: Writer, table: Table, places: Iterator[tuple[list[str], Box | None]], **more: Any) -> None:
    for title in table.titles:
        writer.add("caption", title, **more)
    number = writer.begin_table()
    for index, row in enumerate(table.rows, start=1):
        filled = _filled(row)
        # Rows come in the order of the grid: those before this one were a header, a title or written already.
        box = next((box for cells, box in places if cells == filled), None)
        place = {**more, "box": box} if box else more
        if table.is_pairs:
            writer.field(row[0], row[1], table=number, row=index, **place)
        elif len(filled) == 1 and row[0] and len(row) > 2:
            writer.add("caption", row[0], table=number, **place)  # a row that only names the group below it
        else:
            writer.row(table.names, row, table=number, row=index, **place)
    for note in table.notes:
        writer.add("note", note, **more)


def understood(grid: Grid, *, header_rows: int | None = None, headers_expected: bool = False) -> Table:
    """The parts of one table. `grid` is rectangular and has no blank row or column."""
    if not grid:
        return Table()
    if len(grid[0]) == 1:
        return Table(titles=tuple(row[0] for row in grid))
    top = 0 if header_rows is not None else _num_titles(grid)
    titles, body = [_title(row) for row in grid[:top]], grid[top:]
    body = body[:1] + [row for row in body[1:] if row != body[0]]  # a header may stand on every printed page
    body, notes = _without_notes(body)
    if not body:
        return Table(titles=tuple(titles + notes))
    if header_rows is None:
        header_rows = _num_header_rows(body, headers_expected)
    if not header_rows and len(body[0]) == 2 and _are_labels([row[0] for row in body]):
        return Table(tuple(titles), rows=tuple(map(tuple, body)), is_pairs=True, notes=tuple(notes))
    names = _names(body[:header_rows], len(body[0]))
    header = [tuple(row) for row in body[:header_rows]]
    rows = tuple(tuple(row) for row in body[header_rows:] if tuple(row) not in header)
    if not rows:  # a header without rows still says what it says
        return Table(tuple(titles), tuple(unnamed(n + 1) for n in range(len(names))), tuple(header), notes=tuple(notes))
    return Table(tuple(titles), as_words(names, figure_columns(rows)), rows, notes=tuple(notes))


def trimmed(grid: Sequence[Sequence[str]]) -> Grid:
    """Rectangular, cells on one line, without blank columns; blank rows stay (they part tables)."""
    rows = [[one_line(cell) for cell in row] for row in grid]
    width = max(map(len, rows), default=0)
    used = sorted({column for row in rows for column, cell in enumerate(row) if cell})
    return [[row[column] if column < len(row) else "" for column in used] for row in rows] if width else []


def _parts(grid: Grid) -> list[Grid]:
    """The grid cut at blank rows, and put together again where the lower part goes on with the upper one's columns."""
    parts: list[Grid] = [[]]
    for row in grid:
        if any(row):
            parts[-1].append(row)
        elif parts[-1]:
            parts.append([])
    joined: list[Grid] = []
    for part in (part for part in parts if part):
        if joined and (_width(joined[-1]) <= 1 or _goes_on(joined[-1], part)):
            joined[-1] = joined[-1] + part
        else:
            joined.append(part)
    return [without_blank_columns(part) for part in joined]


def _goes_on(above: Grid, part: Grid) -> bool:
    """The rows of `part` belong to the table above: they fill the same columns, and the first is no header of its own."""
    if _width(part) <= 1:
        return True
    return _columns(part) <= _columns(above) and not _has_header(part) and _width(above) > 1


def _columns(grid: Grid) -> set[int]:
    return {column for row in grid for column, cell in enumerate(row) if cell}


def _width(grid: Grid) -> int:
    """The most cells that a row has."""
    return max((sum(map(bool, row)) for row in grid), default=0)


def without_blank_columns(grid: Grid) -> Grid:
    used = sorted(_columns(grid))
    return [[row[column] for column in used] for row in grid]


# Above and below


def _num_titles(grid: Grid) -> int:
    """How many rows at the top are lines of words above the table: they fill far fewer cells than its rows do."""
    widths = [_num_values(row) for row in grid[:_NUM_SAMPLED]]
    usual = sorted(widths)[len(widths) // 2] if len(widths) > 2 else max(widths)
    usual = max(usual, 2)
    top = next((n for n, width in enumerate(widths) if width >= max(2, usual / 2 + 0.5) or width == usual), 0)
    # A row of two cells above a table of two columns is a row of it; a group header above years is no title.
    while top and _is_group_header(grid[top - 1], grid[top]):
        top -= 1
    return top


def _num_values(row: Sequence[str]) -> int:
    """Cells that say something of their own: one text over many columns (a merged cell) counts once."""
    return len({cell for cell in row if cell})


def _is_group_header(upper: list[str], lower: list[str]) -> bool:
    """Cells of `upper` stand over several named columns of `lower`, not at its left edge."""
    places = [column for column, cell in enumerate(upper) if cell]
    return bool(places) and places[0] > 0 and len(places) < len(lower) and all(map(_is_name_like, filter(None, lower)))


def _title(row: list[str]) -> str:
    values = list(dict.fromkeys(cell for cell in row if cell))
    if len(values) == 2:
        return f"{values[0].rstrip(': ')}: {values[1]}"
    return "; ".join(values)


def _without_notes(body: Grid) -> tuple[Grid, list[str]]:
    notes: list[str] = []
    while len(body) > 2 and _num_values(body[-1]) == 1 and len(body[-1][0]) > 25:
        notes.insert(0, body[-1][0])
        body = body[:-1]
    return body, notes


# The header


def _is_figure(cell: str) -> bool:
    return len(cell) <= 60 and bool(_FIGURE.fullmatch(cell))


def _is_year(cell: str) -> bool:
    return len(cell) <= 20 and bool(_YEAR.fullmatch(cell))


def _is_name_like(cell: str) -> bool:
    """May stand in a header: words, or a year or period."""
    return _is_year(cell) or (not _is_figure(cell) and len(cell) <= 120)


def figure_columns(body: Sequence[Sequence[str]]) -> list[int]:
    """Columns that hold figures, blanks aside."""
    found = []
    for column in range(len(body[0]) if body else 0):
        values = [row[column] for row in body[:_NUM_SAMPLED] if row[column].lower() not in _BLANKS]
        if values and sum(map(_is_figure, values)) >= 0.7 * len(values):
            found.append(column)
    return found


def _has_header(grid: Grid) -> bool:
    """The first row names the columns of the others, as far as figures can tell."""
    if len(grid) < 2:
        return False
    figures = figure_columns(grid[1:])
    first = grid[0]
    if not all(_is_name_like(cell) for cell in first if cell):
        return False
    years = [column for column in figures if _is_year(first[column])]
    if years and all(_is_year(row[column]) for row in grid[1:_NUM_SAMPLED] for column in years if row[column]):
        return False  # a column of years is no header of years
    return any(first[column] and (not _is_figure(first[column]) or _is_year(first[column])) for column in figures)


def _num_header_rows(body: Grid, headers_expected: bool) -> int:
    """How many rows of the top name the columns; 0 where none does."""
    for count in range(min(_MAX_HEADER_ROWS, len(body) - 1), 1, -1):
        if _are_joint_header(body[:count], body[count:]):
            return count
    if _has_header(body):
        return 1
    if figure_columns(body[1:]) and figure_columns(body):
        return 0  # figures from the first row on
    return int(len(body) > 1 and _is_header_of_words(body, headers_expected))


def _are_joint_header(top: Grid, rest: Grid) -> bool:
    """Several rows name the columns together: the upper ones have gaps or spans, or the last one holds units."""
    figures = figure_columns(rest)
    if not figures or any(not _is_name_like(cell) for row in top for cell in row if cell):
        return False
    if any(_is_lone_label(row) for row in top[1:]):
        return False  # a row that names the group of rows below it
    last = top[-1]
    are_units = all(_is_unit(cell) for cell in last if cell) and any(last[column] for column in figures)
    upper = top[:-1]
    if are_units and (_covers(upper[0], figures) if len(upper) == 1 else _are_joint_header(upper, rest)):
        return True
    spans = all(_has_spans(row) for row in upper)
    joined = _joined(top, len(last))
    return spans and _covers(last, figures) and len(set(filter(None, joined))) == len(list(filter(None, joined)))


def _is_lone_label(row: list[str]) -> bool:
    return bool(row[0]) and _num_values(row) == 1


def _is_unit(cell: str) -> bool:
    return bool(_BRACKETED.fullmatch(cell)) or (len(cell) <= 8 and not any(map(str.isdigit, cell)) and " " not in cell)


def _covers(row: list[str], columns: list[int]) -> bool:
    return sum(bool(row[column]) for column in columns) >= 0.6 * len(columns)


def _has_spans(row: list[str]) -> bool:
    """Not every column has a name of its own: there are gaps, or one name stands over several columns."""
    return any(not cell for cell in row[1:]) or any(a and a == b for a, b in pairwise(row))


def _is_header_of_words(body: Grid, headers_expected: bool) -> bool:
    first, rest = body[0], body[1:_NUM_SAMPLED]
    if (
        not all(first)
        or len(set(first)) < len(first)
        or not all(map(_is_name_like, first))
        or any("@" in cell for cell in first)
    ):
        return False
    if any(first[column] == row[column] for row in rest for column in range(len(first))):
        return False  # a value that comes again is no name
    return headers_expected or len(first) > 2


def _are_labels(cells: list[str]) -> bool:
    """Words that name what stands beside them; each once."""
    named = [cell for cell in cells if cell]
    return len(named) == len(set(named)) and not any(_is_figure(cell) for cell in named) and bool(named)


def _names(header: Grid, width: int) -> tuple[str, ...]:
    joined = _joined(header, width)
    names: list[str] = []
    seen: dict[str, int] = {}
    for number, name in enumerate(joined, start=1):
        name = name.rstrip(": ")[:200] or unnamed(number)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def _joined(header: Grid, width: int) -> list[str]:
    """One name a column: the rows' names from top to bottom, group names carried to the right over gaps."""
    rows = [_carried(row, header[number + 1]) for number, row in enumerate(header[:-1])] + header[-1:]
    are_units = len(header) > 1 and not _has_spans(header[-2]) and all(_is_unit(cell) for cell in header[-1] if cell)
    names = []
    for column in range(width):
        parts = list(dict.fromkeys(row[column] for row in rows if row[column]))
        if len(parts) > 1 and are_units and header[-1][column] == parts[-1] and not _BRACKETED.fullmatch(parts[-1]):
            parts[-1] = f"({parts[-1]})"
        names.append(" ".join(parts))
    return names


def _carried(row: list[str], below: list[str]) -> list[str]:
    """Group names reach to the right, over gaps under which a column is named."""
    carried, last = [], ""
    for cell, under in zip(row, below, strict=True):
        last = cell or (last if under else "")
        carried.append(last)
    return carried
