"""A question read over tables: which column it means, by fitted weights, and what is computed; left open where that is not clear."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from pydantic import Field as Described

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import ITEM, NUMBER, Field, Row, Table
from palimpsest.retrieval.types import Frozen

from . import figures
from .accounting import accounts, beside, has_strangers, is_of_another
from .asking import FUNCTION_WORDS
from .computing import (
    BLANK,
    Computation,
    NotComputable,
    Operation,
    Outcome,
    compute,
    content_of,
    dimension_of,
    values_of,
)
from .matching import Meant, Token, conditions_of, forms, is_about, matching_rows, tokens_of, understood, without_unit
from .questions import asked_kind
from .wording import LinearText

Nearness = Callable[[str, Sequence[str]], Sequence[float]]  # a question and names: how near each is, -1 to 1
ReadOff = Callable[
    [str, str, Sequence[str]], Sequence[float]
]  # a question, a row in words, its cells: the log-probability of each


class ColumnWeights(Frozen):
    """`words` and `nearness` weigh how much of a column's name stands in the question and how near it is; `none` is the weight of
    no column. A column is taken from the probability `least` on where it is `clear` times as likely as the next. Where none is, the row
    is read as well: to the logarithm of each column's probability that of its cell is added, weighed by `cell`, and the best column is
    taken from `cell_least` on.
    """

    words: float
    nearness: float
    none: float
    least: float
    clear: float
    cell: float = 0.0
    cell_least: float = 0.0
    fitted_on: str = ""


class RecordWeights(Frozen):
    """What was fitted for questions over tables: the wording of operations, and the choice of columns."""

    operations: LinearText
    columns: ColumnWeights
    sure: float  # the least probability of an operation; what is less sure asks for a value
    belief: float  # log-odds of what a table answers: a row that holds the names outweighs what is read in prose
    origins: dict[str, str] = Described(default_factory=dict)  # of the numbers that no fit gave: who set them and why


class Reading(NamedTuple):
    """What a table answers. `computation` is None for a cell that was looked up."""

    table: Table
    text: str
    cells: tuple[Field, ...]
    rows: tuple[Row, ...]
    computation: Computation | None = None
    sentence: str = ""


class Undecided(NamedTuple):
    """Why a table that speaks of what is asked gives no answer, in a sentence."""

    table: Table
    why: str


def read(
    question: str,
    operation: Operation,
    tables: Sequence[Table],
    weights: ColumnWeights,
    near: Nearness,
    off: ReadOff | None = None,
    is_aside: bool = False,
) -> Reading | Undecided | None:
    """What the tables answer to a question; None where none of them is asked about. `off` reads a row where no column is clear.

    Of a question that sections answer tables are asked aside: a cell answers it only where it accounts for each of its words, and that
    it is not clear what is looked up or listed is not said.
    """
    found = [one for table in tables if (one := _read_one(question, operation, table, weights, near, off)) is not None]
    readings = [one for one in found if isinstance(one, Reading)]
    if is_aside:
        readings = [
            one for one in readings if one.computation or accounts(question, one.table, [c.name for c in one.cells])
        ]
    if not readings:
        is_silent = is_aside and operation in ("value", "list", "difference")
        return None if is_silent else next((one for one in found if isinstance(one, Undecided)), None)
    return _agreed(readings)


def _agreed(readings: Sequence[Reading]) -> Reading | Undecided:
    """The one answer that all tables give, or that of the newest; undecided where they differ and their dates do not decide."""
    texts = {r.text for r in readings}
    if len(texts) == 1:
        return readings[0]
    dated = sorted((r for r in readings if r.table.source.date), key=lambda r: str(r.table.source.date), reverse=True)
    newest = [r for r in dated if r.table.source.date == dated[0].table.source.date]
    if len(dated) == len(readings) and len({r.text for r in newest}) == 1:
        return newest[0]
    sides = "; ".join(f"{r.text} ({r.table.name})" for r in readings[:3])
    return Undecided(readings[0].table, f"tables differ, and their dates do not decide: {sides}")


def _read_one(
    question: str, operation: Operation, table: Table, weights: ColumnWeights, near: Nearness, off: ReadOff | None
) -> Reading | Undecided | None:
    """What one table answers.

    A name or figure of the question that neither rows, nor columns, nor the words around the table hold means that the table is not
    asked about.
    """
    meant = understood(question, table)
    strangers = [t for t in meant.left() if t.is_name and t.form not in _column_forms(table)]
    if strangers or (not meant.values and not meant.named and not is_about(meant, table)):
        return None
    if NUMBER in table.columns and ITEM in table.columns:
        return _item(meant, table)
    try:
        if operation == "count" and _asks_amount(meant, table, weights, near):
            operation = "value"
        if operation == "value" or (operation in ("first", "last") and not _ordered(table)):
            return _value(question, meant, table, weights, near, off)
        return _computed(question, operation, meant, table, weights, near)
    except NotComputable as reason:
        return Undecided(table, f"in the table “{table.name}” {reason}")


def _column_forms(table: Table) -> set[str]:
    return {f for column in table.columns for f in forms(column)}


# What it answers


def _item(meant: Meant, table: Table) -> Reading | Undecided | None:
    """An entry of a numbered list, asked for by its number."""
    numbers = [int(t.text) for t in meant.tokens if t.text.isdecimal()]
    wanted = meant.ordinal or (numbers[0] if len(numbers) == 1 else 0)
    row = next((r for r in table.rows if (n := r.get(NUMBER)) and n.text == str(wanted)), None)
    cell = row.get(ITEM) if row else None
    if row is None or cell is None or not is_about(meant, table) or any(not t.is_name for t in _unlisted(meant)):
        return None
    return Reading(table, cell.text, (cell,), (row,))


def _unlisted(meant: Meant) -> list[Token]:
    counted = frozenset(
        {"step", "item", "point", "rule", "entry", "stage", "instruction", "number", "no", "part", "section"}
    )
    return [t for t in meant.left() if t.form not in counted]


def choose(
    meant: Meant, question: str, columns: Sequence[str], weights: ColumnWeights, near: Nearness
) -> list[tuple[float, str]]:
    """(probability, column), the likeliest first, of columns that may be meant; what is left to 1 is that none is."""
    if not columns:
        return []
    asked = {t.form for t in meant.tokens}
    rest = meant.rest() or question
    scores = [
        weights.words * _shared(column, asked) + weights.nearness * nearness
        for column, nearness in zip(columns, near(rest, [without_unit(c) for c in columns]), strict=True)
    ]
    top = max(*scores, weights.none)
    powers = [math.exp(score - top) for score in scores]
    whole = sum(powers) + math.exp(weights.none - top)
    return sorted(((power / whole, column) for power, column in zip(powers, columns, strict=True)), reverse=True)


def meant_column(words: str, columns: Sequence[str], weights: ColumnWeights, near: Nearness) -> str:
    """The column that these words surely mean: "cut in noise" the "Noise reduction (dB)"; "" where none is clear."""
    found = choose(Meant(tokens_of(words)), words, columns, weights, near)
    return found[0][1] if _is_clear(found, weights) else ""


def _shared(column: str, asked: set[str]) -> float:
    words = [w for w in forms(without_unit(column)) if w not in FUNCTION_WORDS]
    return sum(w in asked for w in words) / len(words) if words else 0.0


def _one(
    meant: Meant, question: str, columns: Sequence[str], table: Table, weights: ColumnWeights, near: Nearness
) -> str:
    """The column that is meant. NotComputable names those between which it is not clear."""
    named = [c for c in columns if c in meant.named]
    if len(named) == 1:
        return named[0]
    measured = [
        c for c in named or columns if dimension_of(c, values_of(table, c)) in figures.asked_dimensions(question)
    ]
    if len(measured) == 1 and not _lacks(measured[0], meant, table):
        return measured[0]
    found = choose(meant, question, named or columns, weights, near)
    if _is_clear(found, weights) and not _lacks(found[0][1], meant, table):
        return found[0][1]
    several = ", ".join(f"“{c}”" for _, c in found[:4]) or "none fits"
    raise NotComputable(f"it is not clear which column is meant ({several})")


def _read_off(
    meant: Meant,
    question: str,
    columns: Sequence[str],
    table: Table,
    weights: ColumnWeights,
    near: Nearness,
    off: ReadOff,
) -> str:
    """The column whose cell the model reads as the answer in the one row that is meant; "" where that is not sure enough."""
    (row,) = matching_rows(meant, table)
    text = ". ".join([table.name, *(f"{f.name}: {f.text}" for f in row.fields)])
    found = choose(meant, question, columns, weights, near)
    cells = [cell.text if (cell := row.get(column)) else "" for _, column in found]
    read = off(question, text, cells)
    scores = [(math.log(p) + weights.cell * said, column) for (p, column), said in zip(found, read, strict=True)]
    score, column = max(scores)
    return column if score >= weights.cell_least and not _lacks(column, meant, table) else ""


def _is_clear(found: Sequence[tuple[float, str]], weights: ColumnWeights) -> bool:
    return (
        bool(found) and found[0][0] >= weights.least and (len(found) < 2 or found[0][0] >= weights.clear * found[1][0])
    )


def _lacks(column: str, meant: Meant, table: Table) -> bool:
    """Whether the question gives a figure that this column's name has another of: 2024 is not "Salary 2023"."""
    asked = {t.form for t in meant.left() if t.form.isdigit()}
    own = {f for f in forms(column) if f.isdigit()}
    return bool(asked) and not asked <= own


def _fitting(question: str, columns: Sequence[str], table: Table) -> list[str]:
    """The columns that hold what the question word asks for: figures or dates, or names; all where it does not tell."""
    kinds = {c: content_of(values_of(table, c)) for c in columns}
    first = next((t.form for t in tokens_of(question) if t.form in ("who", "whom", "whose", "where", "when")), "")
    if asked_kind(question) == "NUMBER":
        wanted = ("date",) if first == "when" and "date" in kinds.values() else ("figure", "date")
    elif first in ("who", "whom", "whose", "where"):
        wanted = ("words",)
    else:
        return list(columns)
    return [c for c in columns if kinds[c] in wanted]


def _asks_amount(meant: Meant, table: Table, weights: ColumnWeights, near: Nearness) -> bool:
    """Whether "how many" asks for what a column of figures holds, not for a number of rows."""
    amounts = [c for c in table.columns if content_of(values_of(table, c)) == "figure" and c not in meant.values]
    amounts = [c for c in amounts if all(c != bound.column for bound in meant.conditions)]
    if any(c in meant.named for c in amounts):
        return True
    found = choose(meant, meant.rest(), amounts, weights, near)
    return bool(meant.values) and len(matching_rows(meant, table)) == 1 and _is_clear(found, weights)


def _value(
    question: str, meant: Meant, table: Table, weights: ColumnWeights, near: Nearness, off: ReadOff | None
) -> Reading | Undecided | None:
    """The cell of the row that holds the names of the question, in the column that is asked for."""
    if not meant.values and not table.is_form and len(table.rows) > 1:
        return None
    columns = [c for c in table.columns if c not in meant.values]
    fitting = _fitting(question, columns, table) if not table.is_form else columns
    if not fitting:
        return None
    rows = matching_rows(meant, table)
    if not rows:
        return None
    try:
        column = _one(meant, question, fitting, table, weights, near)
    except NotComputable:
        column = _read_off(meant, question, fitting, table, weights, near, off) if off and len(rows) == 1 else ""
        if not column:
            raise
    if has_strangers(meant, column) or is_of_another(meant, column, table, rows):
        return None
    cells = [cell for row in rows if (cell := row.get(column)) and cell.text.lower() not in BLANK]
    texts = {cell.text for cell in cells}
    if len(texts) == 1:
        row = next(row for row in rows if row.get(column) == cells[0])
        return Reading(table, cells[0].text, (cells[0],), (row,))
    if not cells:
        return Undecided(table, f"in the table “{table.name}” “{column}” is empty there")
    if (
        content_of(values_of(table, column)) == "figure"
        and asked_kind(question) == "NUMBER"
        and "how many" in question.lower()
    ):
        return _done(Computation(table=table.id, operation="total", column=column, conditions=conditions_of(meant),
                                 title=table.name), table)  # fmt: skip
    rivals = ", ".join(sorted(texts)[:4])
    return Undecided(table, f"in the table “{table.name}” {len(rows)} rows are meant (“{column}”: {rivals})")


def _ordered(table: Table) -> bool:
    return any(content_of(values_of(table, c)) in ("date", "figure") for c in table.columns)


def _computed(
    question: str, operation: Operation, meant: Meant, table: Table, weights: ColumnWeights, near: Nearness
) -> Reading | Undecided | None:
    kinds = {c: content_of(values_of(table, c)) for c in table.columns}
    free = [c for c in table.columns if c not in meant.values]
    words = [c for c in free if kinds[c] == "words"]
    rank = 1
    if operation in ("list", "count"):
        return _rowwise(operation, meant, table, words)
    amounts = [c for c in free if kinds[c] in (("date", "figure") if operation in ("first", "last") else ("figure",))]
    if not amounts:
        return None
    if operation in ("first", "last") and any(kinds[c] == "date" for c in amounts):
        amounts = [c for c in amounts if kinds[c] == "date"]
    is_plain = len(amounts) == 1 and _plain_order(meant, operation)
    column = amounts[0] if is_plain else _one(meant, question, amounts, table, weights, near)
    if has_strangers(meant, column):
        return None
    named = ""
    if operation in ("most", "least", "first", "last"):
        rank = meant.ordinal if meant.ordinal > 1 else 1
        named = _called(question, meant, words, column)
    asked = Computation(
        table=table.id, operation=operation, column=column, named=named, conditions=conditions_of(meant), rank=rank,
        title=table.name,
    )  # fmt: skip
    return _done(asked, table)


def _plain_order(meant: Meant, operation: Operation) -> bool:
    """Whether the only column of figures or dates is meant without being named: the question has no other word to account for."""
    return operation in ("first", "last") and not [t for t in meant.left() if t.is_name]


def _called(question: str, meant: Meant, words: Sequence[str], column: str) -> str:
    """The column that holds what is asked for: the one named, or the first of words; none where the amount itself is asked for."""
    named = [c for c in words if c in meant.named]
    if named:
        return named[0]
    lead = question.lower().lstrip()
    asks_amount = asked_kind(question) == "NUMBER" or (
        lead.startswith(("what is the", "what was the")) and column in meant.named
    )
    return "" if asks_amount or not words else words[0]


def _rowwise(operation: Operation, meant: Meant, table: Table, words: Sequence[str]) -> Reading | Undecided | None:
    """All rows that are meant, listed or counted; every word that could narrow them down must be accounted for."""
    named = [c for c in words if c in meant.named]
    bound = (*named, *meant.values, *(c.column for c in meant.conditions))
    left = [t.text for t in beside(meant.left(), {stem for column in bound for stem in tokens(column)})]
    if left:
        why = f"it is not clear what “{' '.join(left)}” means among its columns ({', '.join(table.columns)})"
        return Undecided(table, f"in the table “{table.name}” {why}") if meant.values else None
    column = (
        (named or list(words) or [""])[0] if operation == "list" else (named[0] if named and not meant.values else "")
    )
    if operation == "list" and not column:
        return None
    asked = Computation(
        table=table.id, operation=operation, column=column, conditions=conditions_of(meant), title=table.name
    )
    return _done(asked, table)


def _done(asked: Computation, table: Table) -> Reading:
    outcome: Outcome = compute(asked, table)
    return Reading(table, outcome.text, outcome.cells, outcome.rows, asked, outcome.sentence)
