"""What is computed over the rows of a table, and the sentence that says so. `verify` computes again from the same rows."""

from __future__ import annotations

import calendar
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from palimpsest.retrieval.records import Field, Row, Table
from palimpsest.retrieval.types import Frozen

from . import figures, thresholds

if TYPE_CHECKING:
    import pandas

Operation = Literal["value", "list", "count", "most", "least", "first", "last", "total", "average", "difference"]
Relation = Literal["is", "above", "below", "from", "to"]
Content = Literal["figure", "date", "words"]

MOST_ROWS = 20_000  # of a table that is computed over: each is cited
BLANK = frozenset({"", "-", "–", "—", "n/a", "na", "null", "none", "nan", ".", "…", "?", "tbd"})
_YEAR = re.compile(  # a school or financial year is the one it begins in; what stands in brackets behind it is a note
    r"(?:FY ?)?((?:1[5-9]|20|21)\d\d)(?:[/–-](?:\d\d)?\d\d)?(?: ?\([^()]*\))?"
)
_ISO = re.compile(r"\d{4}-\d\d(?:-\d\d)?")
_MONTH = re.compile(r"([12]\d{3})-(0[1-9]|1[0-2])")
_NUMBER = re.compile(r"\d[\d.,’'\u00a0\u202f]*\d|\d")
_JOIN = "; "


class Condition(Frozen):
    """Rows count whose cell in `column` is one of `values`, or is above, below, from or to a figure on."""

    column: str
    relation: Relation
    values: tuple[str, ...]


class Computation(Frozen):
    """`column` is computed over (or listed); `named` holds what a row is called; `rank` 2 is the second highest."""

    table: str
    operation: Operation
    column: str
    named: str = ""
    conditions: tuple[Condition, ...] = ()
    rank: int = 1
    title: str = ""


class Outcome(NamedTuple):
    """The answer in words, the cells it is made of (none where it stands in no cell), the rows it rests on, and the sentence."""

    text: str
    cells: tuple[Field, ...]
    rows: tuple[Row, ...]
    sentence: str


class NotComputable(ValueError):
    """The cells cannot be computed over; the message says why."""


def content_of(cells: Sequence[str]) -> Content:
    """What a column holds: figures of one measure, dates, or words."""
    filled = [cell.strip() for cell in cells if cell.strip().lower() not in BLANK]
    if not filled:
        return "words"
    if all(_ISO.fullmatch(cell) or _YEAR.fullmatch(cell) for cell in filled):
        return "date"
    if sum(_figure(cell) is not None for cell in filled) >= thresholds.SHIPPED.mostly * len(filled):
        return "figure"
    return "date" if all(date_of(cell) for cell in filled[:50]) else "words"


def dimension_of(column: str, cells: Sequence[str]) -> str:
    """What a column of figures measures, by the unit of its cells or in its name; "" where none is given."""
    first = next((figure for cell in cells if (figure := _figure(cell))), None)
    unit = _unit_in(column)
    if first is None or first.unit or not unit:
        return first.dimension if first else ""
    one = figures.single(f"1 {unit}")
    return one.dimension if one else ""


def _unit_in(column: str) -> str:
    """What a column's name gives in brackets at its end, or ""."""
    found = re.search(r"[(\[]([^()\[\]]+)[)\]]\s*$", column)
    return found[1] if found else ""


def _with_unit(text: str, unit: str) -> str:
    """A bare figure with the unit of its column."""
    figure = _figure(text)
    return f"{text} {unit}" if unit and figure and not figure.unit else text


def values_of(table: Table, column: str) -> list[str]:
    """The cells of a column, "" where a row has none."""
    return [field.text if (field := row.get(column)) else "" for row in table.rows]


def compute(asked: Computation, table: Table) -> Outcome:
    """The outcome of a computation over a table. NotComputable where its cells do not allow it."""
    if len(table.rows) > MOST_ROWS:
        raise NotComputable(f"the table has {len(table.rows):,} rows, and at most {MOST_ROWS:,} are computed over")
    rows = [row for row in table.rows if all(meets(row, condition) for condition in asked.conditions)]
    if not rows:
        raise NotComputable("no row of the table meets what is asked")
    return _COMPUTE[asked.operation](asked, table, rows)


def meets(row: Row, condition: Condition) -> bool:
    """Whether a row's cell is as a condition says."""
    cell = row.get(condition.column)
    if cell is None:
        return False
    if condition.relation == "is":
        return cell.text in condition.values
    unit = _unit_in(condition.column)
    ours, bound = (_amount(_with_unit(text, unit)) for text in (cell.text, condition.values[0]))
    if ours is None or bound is None:
        return False
    last = bound + _days(condition.values[0])  # "after 2024" begins with 2025
    return {"above": ours > last, "below": ours < bound, "from": ours >= bound, "to": ours <= last}[condition.relation]


def _days(text: str) -> int:
    """How many days a year or a month has behind its first; 0 for a day, and for what is no date."""
    text = text.strip()
    if month := _MONTH.fullmatch(text):
        return calendar.monthrange(int(month[1]), int(month[2]))[1] - 1
    return 365 if _year(text) else 0


def _amount(text: str) -> float | None:
    if date_of(text):
        return date_of(text)
    figure = _figure(text)
    return figure.low if figure else None


def _figure(cell: str) -> figures.Figure | None:
    """A cell that is a figure with at most a mark or unit beside it."""
    figure = figures.single(cell)
    if figure is None or figure.low != figure.high:
        return None
    if not figure.unit and any(
        map(str.isupper, cell[: figure.start])
    ):  # "Rivo 30", "HX-20": a name that holds a number
        return None
    left = cell[: figure.start] + cell[figure.end :]
    return figure if len(left.strip(" *†‡()~≈+.")) <= 6 else None


def _year(cell: str) -> str:
    """The year that a cell is, or begins with: of "2020/21" 2020; "" for what is none. "2011-12" is a month, of the same year."""
    found = None if _MONTH.fullmatch(cell) else _YEAR.fullmatch(cell)
    return found[1] if found else ""


def date_of(cell: str) -> float | None:
    """Days (a year counts from its first) by which dates can be compared; None for what is no date, or one in two readings."""
    cell = cell.strip()
    if year := _year(cell):
        return float(year) * 366
    if not any(map(str.isdigit, cell)) or len(cell) > 30:
        return None
    from dateutil import parser

    if not (_ISO.fullmatch(cell) or re.search(r"[^\W\d_]{3}.*\b\d{4}\b|\b\d{4}\b.*[^\W\d_]{3}", cell)):
        return None
    try:
        day = parser.parse(
            cell, default=datetime(2000, 1, 1)
        )  # a month begins with its first, whatever day it is today
    except (ValueError, OverflowError):
        return None
    return day.year * 366 + day.timetuple().tm_yday - 1


def _frame(rows: Sequence[Row], column: str, dates: bool) -> pandas.DataFrame:
    """[row, amount] of the rows whose cell says an amount, in order: days of dates, else what the first cell's unit counts.

    NotComputable where units differ in kind or nothing is an amount.
    """
    import pandas

    found: list[tuple[int, float, str]] = []
    units = set()
    for index, cell in ((n, cell) for n, row in enumerate(rows) if (cell := row.get(column))):
        figure = None if dates else _figure(cell.text)
        amount = date_of(cell.text) if dates else figure.low if figure else None
        if amount is not None:
            found.append((index, amount, cell.text))
            units.add((figure.unit, figure.dimension) if figure else ("", ""))
    if not found:
        raise NotComputable(f"“{column}” holds no figures")
    if len(units) > 1:
        raise NotComputable(f"“{column}” holds figures of different units")
    amounts = [amount for _, amount, _ in found] if dates else _in_one_unit([text for _, _, text in found], column)
    return pandas.DataFrame({"row": [index for index, _, _ in found], "amount": amounts})


def _in_one_unit(cells: Sequence[str], column: str) -> list[float]:
    """The numbers of cells as the first one counts: as they are written where all are written alike."""
    amounts = [figure for cell in cells if (figure := _figure(cell))]
    if len({figure.form for figure in amounts}) == 1:
        return list(map(_plain, cells))
    first = next((n for n, cell in enumerate(cells) if _plain(cell)), None)
    if first is None or amounts[0].unit == "kelvin":
        raise NotComputable(f"“{column}” holds figures of different units")
    factor = amounts[first].low / _plain(cells[first])
    return [figure.low / factor for figure in amounts]


def _extreme(asked: Computation, table: Table, rows: list[Row]) -> Outcome:
    """The row (or rows, where they are equal) with the highest, lowest, earliest or latest cell."""
    dates = content_of(values_of(table, asked.column)) == "date"
    frame = _frame(rows, asked.column, dates)
    first = asked.operation in ("least", "first") if dates else asked.operation in ("least", "last")
    levels = sorted(frame["amount"].unique(), reverse=not first)
    if len(levels) < asked.rank:
        raise NotComputable(f"“{asked.column}” has no {asked.rank} different values")
    chosen = [rows[int(n)] for n in frame.loc[frame["amount"] == levels[asked.rank - 1], "row"]]
    cells = [cell for row in chosen if (cell := row.get(asked.named or asked.column))]
    if len(cells) < len(chosen):
        raise NotComputable("a row that was found has no name")
    used = [rows[int(n)] for n in frame["row"]]
    word = {True: ("earliest", "latest"), False: ("lowest", "highest")}[dates][0 if first else 1]
    place = {1: "", 2: "second ", 3: "third "}.get(asked.rank, f"{asked.rank}th ")
    top = chosen[0].get(asked.column)
    assert top is not None, "the frame holds rows with that cell"
    of = "" if asked.named in ("", asked.column) else f", of {_JOIN.join(c.text for c in cells)}"
    said = f"the {place}{word} is {top.text}{of}"
    shown = tuple(dict.fromkeys(cells)) if of else cells[:1]
    return Outcome(
        _JOIN.join(dict.fromkeys(c.text for c in shown)), tuple(shown), tuple(used),
        f"Compared over {_over(asked, used, rows)}: {said}.",
    )  # fmt: skip


def _list(asked: Computation, table: Table, rows: list[Row]) -> Outcome:
    cells = [cell for row in rows if (cell := row.get(asked.column)) and cell.text.lower() not in BLANK]
    if not cells:
        raise NotComputable(f"“{asked.column}” is empty in the rows that are meant")
    once = list({cell.text: cell for cell in cells}.values())
    sentence = f"Listed from {_over(asked, rows, table.rows)}; what the table leaves out is not in the list."
    return Outcome(_JOIN.join(c.text for c in once), tuple(once), tuple(rows), sentence)


def _count(asked: Computation, table: Table, rows: list[Row]) -> Outcome:
    if asked.column:
        distinct = {c.text for row in rows if (c := row.get(asked.column)) and c.text.lower() not in BLANK}
        number = len(distinct)
        return Outcome(
            str(number), (), tuple(rows), f"Counted: {number} different cells of {_over(asked, rows, rows)}."
        )
    return Outcome(str(len(rows)), (), tuple(rows), f"Counted: {len(rows)} of {_over(asked, table.rows, table.rows)}.")


def _total(asked: Computation, table: Table, rows: list[Row]) -> Outcome:
    frame = _frame(rows, asked.column, dates=False)
    used = [rows[int(n)] for n in frame["row"]]
    is_mean = asked.operation == "average"
    amount = float(frame["amount"].mean() if is_mean else frame["amount"].sum())
    text = _written(amount, [c.text for row in used if (c := row.get(asked.column))], is_mean)
    said = f"the mean is {text}" if is_mean else f"they come to {text}"
    return Outcome(text, (), tuple(used), f"Computed over {_over(asked, used, rows)}: {said}.")


def _difference(asked: Computation, table: Table, rows: list[Row]) -> Outcome:
    frame = _frame(rows, asked.column, dates=False)
    used = [rows[int(n)] for n in frame["row"]]
    if len(used) != 2:
        raise NotComputable(f"a difference is between two rows, and {len(used)} are meant")
    amount = abs(float(frame["amount"].iloc[0] - frame["amount"].iloc[1]))
    cells = [c.text for row in used if (c := row.get(asked.column))]
    text = _written(amount, cells, is_mean=False)
    return Outcome(
        text, (), tuple(used), f"Computed over {_over(asked, used, rows)}: {cells[0]} and {cells[1]} differ by {text}."
    )


_COMPUTE = {
    "list": _list, "count": _count, "most": _extreme, "least": _extreme, "first": _extreme, "last": _extreme, "total": _total,
    "average": _total, "difference": _difference,
}  # fmt: skip


def _over(asked: Computation, used: Sequence[Row], of: Sequence[Row]) -> str:
    """What was computed over, in words."""
    column = f"“{asked.column}” in " if asked.column else ""
    where = " and ".join(map(_said, asked.conditions))
    number = f"{len(used):,}" if len(used) == len(of) else f"{len(used):,} of {len(of):,}"
    rows = "row" if len(of) == 1 else "rows"
    return f"{column}{number} {rows} of the table “{asked.title}”" + (f" where {where}" if where else "")


def _said(condition: Condition) -> str:
    relation = {"is": "is", "above": "is above", "below": "is below", "from": "is at least", "to": "is at most"}
    return f"“{condition.column}” {relation[condition.relation]} {' or '.join(condition.values)}"


def _written(amount: float, cells: Sequence[str], is_mean: bool) -> str:
    """An amount as the cells write theirs: their separators, currency and unit, no more decimals than theirs (two more for a mean)."""
    figure = _figure(cells[0])
    number = _NUMBER.search(cells[0], figure.start if figure else 0)
    assert figure is not None, "the frame holds figures"
    assert number is not None, "a figure has digits"
    digits = [_digits(cell) for cell in cells]
    decimals = max(*map(_decimals, digits), 2 * is_mean)
    has_groups = any(_is_grouped(d) for d in digits)
    shown = f"{abs(amount):,.{decimals}f}" if has_groups or abs(amount) >= 1e7 else f"{abs(amount):.{decimals}f}"
    if is_mean and "." in shown:
        shown = shown.rstrip("0").rstrip(".")
    lead = cells[0][: number.start()].strip("-−– (")
    sign = "-" if amount < 0 and float(shown.replace(",", "")) else ""
    return f"{sign}{lead}{shown}{cells[0][number.end() : figure.end]}".strip()


def _decimals(digits: str) -> int:
    """Places behind the point of a number that is read as a number."""
    mark = max(digits.rfind("."), digits.rfind(","))
    return 0 if mark < 0 or (figures.number(digits).is_integer() and _is_grouped(digits)) else len(digits) - mark - 1


def _is_grouped(digits: str) -> bool:
    """Whether a number is written in groups of thousands."""
    return bool(re.search(r"\d[,.’'\u00a0\u202f]\d{3}", digits)) and figures.number(digits) >= 1000


def _digits(cell: str) -> str:
    found = _NUMBER.search(cell)
    return found.group() if found else ""


def _plain(cell: str) -> float:
    """The number in a cell as it is written, without its unit or scale, signed."""
    whole = _figure(cell)
    below = whole is not None and (whole.text[:1] in "-−–" or (cell.strip()[:1] == "(" and cell.strip()[-1:] == ")"))
    return (-1.0 if below else 1.0) * figures.number(_digits(cell))
