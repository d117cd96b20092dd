"""A question read over tables: which rows and which column it means, and what is computed. Left open where that is not clear.

The rows are those that hold the names of the question; the column is chosen by fitted weights over how near its name is to the rest
of the question. A name or figure of the question that neither rows, nor columns, nor the words around the table hold means that the
table is not asked about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import regex  # type: ignore[import-untyped]
from pydantic import Field as Described

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import ITEM, NUMBER, Field, Row, Table
from palimpsest.retrieval.types import Frozen, Passage, is_unnamed

from . import figures
from .asking import FUNCTION_WORDS
from .computing import (
    BLANK,
    Computation,
    Condition,
    NotComputable,
    Operation,
    Outcome,
    Relation,
    compute,
    content_of,
    dimension_of,
    values_of,
)
from .dates import iso
from .questions import asked_kind
from .selection import Chosen, Sentence
from .wording import LinearText

Nearness = Callable[[str, Sequence[str]], Sequence[float]]  # a question and names: how near each is, -1 to 1
ReadOff = Callable[
    [str, str, Sequence[str]], Sequence[float]
]  # a question, a row in words, its cells: the log-probability of each

_TOKEN = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[-–'’./:@_+][\p{L}\p{M}\p{N}]+)*")
YEAR = len("2026")  # what is no longer names no month
_NUMERIC_DATE = regex.compile(r"\d+[./]\d+[./]\d+")  # it has two readings
MOST_COMPARED = 8  # columns of a table side by side: cells are short
SAID_NONE = "none"  # no figure to compute with; of two things side by side it says what the other has
LONG_NAME = 4  # words of a cell that a part of them may name
LONGEST_NAME = 10  # words of a cell that are looked for in a question
_OPERATION_WORDS = frozenset(
    """list all every each many much number count total sum combined together altogether average mean highest lowest largest smallest
    biggest most least fewest greatest maximum minimum max min best worst first last earliest latest oldest newest youngest longest
    shortest tallest cheapest dearest heaviest lightest fastest slowest recent recently difference more fewer less higher lower
    second third name names named show give tell find there value figure amount table row rows record records entry entries
    different distinct overall""".split()
)
_ADDS_NOTHING = frozenset(  # common words that narrow nothing down when a table is asked of
    """cost costs costing sold sell sells made make makes making have having has get gets got work works working worked live lives
    belong belongs come comes held hold holds kept earn earns earned paid pay listed list given known called stand stands people
    person persons one ones thing things year years please according report reported shown part kind type been exist exists exactly
    currently now ever do does done say says said take takes""".split()
)
RELATIONS: dict[str, Relation] = {
    "more than": "above", "over": "above", "above": "above", "greater than": "above", "higher than": "above", "larger than": "above",
    "longer than": "above", "older than": "above", "after": "above", "exceeding": "above", "exceeds": "above", "exceed": "above",
    "less than": "below", "under": "below", "below": "below", "fewer than": "below", "lower than": "below", "smaller than": "below",
    "shorter than": "below", "younger than": "below", "before": "below", "cheaper than": "below", "at least": "from", "since": "from",
    "from": "from", "at most": "to", "up to": "to", "until": "to", "no more than": "to", "heavier than": "above",
    "taller than": "above",
}  # fmt: skip
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()


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


class Token(NamedTuple):
    """question[start:end], its form for comparing, and whether it looks like a name or figure."""

    text: str
    form: str
    start: int
    is_name: bool


@dataclass
class Meant:
    """What of a question a table accounts for: the values it names by column, conditions, columns named whole, words used."""

    tokens: list[Token]
    values: dict[str, list[str]] = field(default_factory=dict)
    conditions: list[Condition] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    used: set[int] = field(default_factory=set)
    ordinal: int = 0

    def rest(self) -> str:
        """The question without the values it names."""
        return " ".join(t.text for n, t in enumerate(self.tokens) if n not in self.used)

    def left(self) -> list[Token]:
        """Words that carry meaning and that nothing accounts for yet."""
        return [
            t
            for n, t in enumerate(self.tokens)
            if n not in self.used and not _is_empty(t.form) and t.text.casefold() not in FUNCTION_WORDS
        ]


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
        readings = [one for one in readings if one.computation or _accounts(question, one)]
    if not readings:
        is_silent = is_aside and operation in ("value", "list", "difference")
        return None if is_silent else next((one for one in found if isinstance(one, Undecided)), None)
    return _agreed(readings)


def _accounts(question: str, reading: Reading) -> bool:
    """Whether a table holds every word of a question that carries meaning: "Why did nitrate fall at Kelso?" asks for no nitrate."""
    if ITEM in reading.table.columns:
        return True  # an entry that is asked for by its number accounts for its words itself
    own = {stem for cell in reading.cells for stem in tokens(cell.name)}
    left = understood(question, reading.table).left()
    return all(own.issuperset(tokens(t.text)) for t in left)


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
    meant = understood(question, table)
    strangers = [t for t in meant.left() if t.is_name and t.form not in _column_forms(table)]
    if strangers or (not meant.values and not meant.named and not _is_about(meant, table)):
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


def compared(
    question: str, things: Sequence[str], attributes: Sequence[str], tables: Sequence[Table]
) -> dict[tuple[str, str], Chosen]:
    """The cells by which the rows of one table tell things apart: by thing and column, or by thing and attribute that a column names.

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
            pairs = _by_attribute(attributes, columns) if attributes else {c: c for c in columns}
            return _cells_of(rows, pairs, held, with_name=bool(attributes))
    found: dict[tuple[str, str], Chosen] = {}
    for table in tables if attributes else ():
        pairs = _by_attribute(attributes, table.columns)
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


def _by_attribute(attributes: Sequence[str], columns: Sequence[str]) -> dict[str, str]:
    """The column that names each attribute: all words of the one stand in the other; none where several do."""
    found: dict[str, str] = {}
    for attribute in attributes:
        asked = set(tokens(attribute)) - FUNCTION_WORDS
        fitting = [
            c for c in columns if (own := set(tokens(_bare(c))) - FUNCTION_WORDS) and (own <= asked or asked <= own)
        ]
        if asked and len(fitting) == 1:
            found[attribute] = fitting[0]
    return found


def _piece(passage: Passage, cell: Field, with_name: bool) -> Chosen:
    start = cell.start - len(f"{cell.name}: ") if with_name else cell.start
    return Chosen((Sentence(passage, start, cell.end, rank=1),), score=1.0)


# What of the question the table holds


def understood(question: str, table: Table) -> Meant:
    """The values, conditions and columns of a table that a question names."""
    meant = Meant(tokens_of(question))
    _name_columns(meant, table)
    _name_dates(meant, question, table)
    _name_values(meant, table)
    _set_conditions(meant, question, table)
    _surnames(meant, table)
    around = set(forms(table.about))
    meant.used |= {n for n, t in enumerate(meant.tokens) if t.form in around}
    meant.ordinal = next((_ORDINALS.index(t.form) + 1 for t in meant.tokens if t.form in _ORDINALS), 0)
    return meant


def tokens_of(text: str) -> list[Token]:
    found = [(m.group().rstrip("'’"), m.start()) for m in _TOKEN.finditer(text)]
    whole = [(word.removesuffix("'s").removesuffix("’s"), at) for word, at in found]
    return [
        Token(word, form(word), at, any(map(str.isdigit, word)) or (n > 0 and word[0].isupper()))
        for n, (word, at) in enumerate(whole)
    ]


def form(word: str) -> str:
    """A word as it is compared: casefolded, without the s of a plural."""
    plain = word.casefold()
    if len(plain) > 4 and plain.endswith("ies"):
        return plain[:-3] + "y"
    if plain.endswith(("sses", "xes", "shes")):
        return plain[:-2]
    return plain[:-1] if len(plain) > 3 and plain.endswith("s") and not plain.endswith("ss") else plain


def forms(text: str) -> list[str]:
    return [t.form for t in tokens_of(text)]


def _is_empty(word: str) -> bool:
    return word in FUNCTION_WORDS or word in _OPERATION_WORDS or word in _ADDS_NOTHING or word in _ORDINALS


def _column_forms(table: Table) -> set[str]:
    return {f for column in table.columns for f in forms(column)}


def _name_columns(meant: Meant, table: Table) -> None:
    """Columns all of whose words stand in the question; a longer name before a shorter one that it holds."""
    asked = [t.form for t in meant.tokens]
    for column in sorted(table.columns, key=lambda c: -len(forms(c))):
        words = [w for w in forms(_bare(column)) if w not in FUNCTION_WORDS]
        inside = any(set(words) < set(forms(other)) for other in meant.named)
        if words and not inside and set(words) <= set(asked):
            meant.named.append(column)


def _bare(column: str) -> str:
    """A column's name without its unit in brackets."""
    return regex.sub(r"\s*[(\[][^)\]]*[)\]]\s*$", "", column) or column


def _name_values(meant: Meant, table: Table) -> None:
    """Cells whose words stand in the question one after the other, the longest first. A figure names rows only by year or number."""
    cells = _cells(table)
    years = {f for column in meant.named for f in forms(column) if f.isdigit()}
    asked = [t.form for t in meant.tokens]
    for length in range(min(LONGEST_NAME, len(asked)), 0, -1):
        for at in range(len(asked) - length + 1):
            places = set(range(at, at + length))
            words = tuple(asked[at : at + length])
            if (
                places & meant.used
                or words not in cells
                or (length == 1 and (_is_empty(words[0]) or words[0] in years))
            ):
                continue
            columns = cells[words]
            preferred = [c for c in columns if c in meant.named and c not in meant.values] or list(columns)
            for column in preferred[:1] if len(preferred) == 1 else [_first_words(table, preferred)]:
                meant.values.setdefault(column, []).extend(columns[column])
            meant.used |= places


def _name_dates(meant: Meant, question: str, table: Table) -> None:
    """Cells that are the day, or lie in the month, that the question names, or before or after it, however either is written."""
    dated = [c for c in table.columns if content_of(values_of(table, c)) == "date"]
    for start, end in figures.date_places(question):
        places = {n for n, t in enumerate(meant.tokens) if start <= t.start < end}
        wanted = iso(question[start:end])
        if len(wanted) <= YEAR or _NUMERIC_DATE.fullmatch(question[start:end]) or not places:
            continue
        relation, words = _relation(meant.tokens, min(places))
        if relation and len(dated) == 1:
            meant.conditions.append(Condition(column=dated[0], relation=relation, values=(wanted,)))
            meant.used |= {*places, *words}
        for column in () if relation else dated:
            values = dict.fromkeys(values_of(table, column))
            if within := [v for v in values if wanted[:YEAR] in v and iso(v).startswith(wanted)]:
                meant.values.setdefault(column, []).extend(within)
                meant.used |= places
                break


def _cells(table: Table) -> dict[tuple[str, ...], dict[str, list[str]]]:
    """The words of every cell that may name a row: by column, the cells that are written so."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for column in table.columns:
        values = values_of(table, column)
        kind = content_of(values)
        for value in dict.fromkeys(values):
            words = tuple(forms(value))
            if (
                not words
                or len(words) > LONGEST_NAME
                or value.lower() in BLANK
                or (kind == "figure" and not _is_key(values))
            ):
                continue
            found.setdefault(words, {}).setdefault(column, []).append(value)
    return found


def _is_key(values: Sequence[str]) -> bool:
    """Whether figures number the rows: whole, without unit, each once, and one after the other."""
    plain = [v for v in values if v]
    if not all(v.isdigit() for v in plain) or len(set(plain)) < len(plain):
        return False
    numbers = sorted(map(int, plain))
    return numbers[-1] - numbers[0] < 2 * len(numbers)


def _first_words(table: Table, columns: Sequence[str]) -> str:
    """The first column of words among several."""
    return next((c for c in table.columns if c in columns and content_of(values_of(table, c)) == "words"), columns[0])


def _surnames(meant: Meant, table: Table) -> None:
    """A name that is a part of just one cell of a column of words: "Ortega" for "Cy Ortega"."""
    for number, token in enumerate(meant.tokens):
        if number in meant.used or not token.is_name or token.text.isdigit() or _is_empty(token.form):
            continue
        for column in table.columns:
            values = {v for v in values_of(table, column) if token.form in forms(v)}
            if (
                len(values) == 1
                and content_of(values_of(table, column)) == "words"
                and len(forms(next(iter(values)))) <= LONG_NAME
            ):
                meant.values.setdefault(column, []).extend(values)
                meant.used.add(number)
                break


def _set_conditions(meant: Meant, question: str, table: Table) -> None:
    """Figures with "more than", "before" or "between" ahead of them bound the column that they may stand in."""
    for number, token in enumerate(meant.tokens):
        if number in meant.used or not token.text[0].isdigit():
            continue
        relation, words = _relation(meant.tokens, number)
        column = _bounded(meant, token.text, table) if relation else ""
        if relation and column:
            whole = next(
                (f.text for f in figures.figures(question) if f.start <= token.start < f.end and f.low == f.high),
                token.text,
            )
            plain = token.text if content_of(values_of(table, column)) == "date" else whole
            meant.conditions.append(Condition(column=column, relation=relation, values=(plain,)))
            meant.used |= {number, *words}


def _relation(tokens: Sequence[Token], number: int) -> tuple[Relation | None, set[int]]:
    before = [t.text.lower() for t in tokens[max(0, number - 3) : number]]
    for length in (3, 2, 1):
        phrase = " ".join(before[-length:]) if len(before) >= length else ""
        if phrase in RELATIONS:
            relation, ahead = RELATIONS[phrase], before[-length - 1 : -length]
            if ahead and ahead[0] in ("no", "not"):
                turned: dict[Relation, Relation] = {"above": "to", "below": "from"}
                return turned.get(relation, relation), set(range(number - length - 1, number))
            return relation, set(range(number - length, number))
    if before[-1:] == ["between"]:
        return "from", {number - 1}
    if before[-1:] == ["and"] and "between" in [t.text.lower() for t in tokens[:number]]:
        return "to", {number - 1}
    return None, set()


def _bounded(meant: Meant, text: str, table: Table) -> str:
    """The column that a figure bounds: the named one, else the only one it may stand in."""
    is_year = len(text) == 4 and text.isdigit() and 1500 <= int(text) < 2200
    kind = "date" if is_year else "figure"
    fitting = [c for c in table.columns if content_of(values_of(table, c)) == kind]
    named = [c for c in fitting if c in meant.named]
    chosen = named or fitting
    return chosen[0] if len(chosen) == 1 else ""


def _is_about(meant: Meant, table: Table) -> bool:
    """Whether some word of the question that carries meaning stands around the table."""
    around = set(forms(table.about))
    return any(t.form in around and not _is_empty(t.form) for t in meant.tokens)


# What it answers


def _rows(meant: Meant, table: Table) -> list[Row]:
    return [
        row
        for row in table.rows
        if all((cell := row.get(c)) and cell.text in values for c, values in meant.values.items())
    ]


def _conditions(meant: Meant) -> tuple[Condition, ...]:
    by_name = [Condition(column=c, relation="is", values=tuple(dict.fromkeys(v))) for c, v in meant.values.items()]
    return (*by_name, *meant.conditions)


def _item(meant: Meant, table: Table) -> Reading | Undecided | None:
    """An entry of a numbered list, asked for by its number."""
    numbers = [int(t.text) for t in meant.tokens if t.text.isdigit()]
    wanted = meant.ordinal or (numbers[0] if len(numbers) == 1 else 0)
    row = next((r for r in table.rows if (n := r.get(NUMBER)) and n.text == str(wanted)), None)
    cell = row.get(ITEM) if row else None
    if row is None or cell is None or not _is_about(meant, table) or any(not t.is_name for t in _unlisted(meant)):
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
        for column, nearness in zip(columns, near(rest, [_bare(c) for c in columns]), strict=True)
    ]
    top = max(*scores, weights.none)
    powers = [math.exp(score - top) for score in scores]
    whole = sum(powers) + math.exp(weights.none - top)
    return sorted(((power / whole, column) for power, column in zip(powers, columns, strict=True)), reverse=True)


def _shared(column: str, asked: set[str]) -> float:
    words = [w for w in forms(_bare(column)) if w not in FUNCTION_WORDS]
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
    (row,) = _rows(meant, table)
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
    return bool(meant.values) and len(_rows(meant, table)) == 1 and _is_clear(found, weights)


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
    rows = _rows(meant, table)
    if not rows:
        return None
    try:
        column = _one(meant, question, fitting, table, weights, near)
    except NotComputable:
        column = _read_off(meant, question, fitting, table, weights, near, off) if off and len(rows) == 1 else ""
        if not column:
            raise
    if _strangers(meant, column, table):
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
        return _done(Computation(table=table.id, operation="total", column=column, conditions=_conditions(meant),
                                 title=table.name), table)  # fmt: skip
    rivals = ", ".join(sorted(texts)[:4])
    return Undecided(table, f"in the table “{table.name}” {len(rows)} rows are meant (“{column}”: {rivals})")


def _strangers(meant: Meant, column: str, table: Table) -> bool:
    """Whether a name or figure of the question stands nowhere in what was found."""
    own = set(forms(column))
    return any(t.is_name and t.form not in own for t in meant.left())


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
    if _strangers(meant, column, table):
        return None
    named = ""
    if operation in ("most", "least", "first", "last"):
        rank = meant.ordinal if meant.ordinal > 1 else 1
        named = _called(question, meant, words, column)
    asked = Computation(
        table=table.id, operation=operation, column=column, named=named, conditions=_conditions(meant), rank=rank,
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
    own = {stem for column in bound for stem in tokens(column)}  # "operate" is said of an "Operator"
    left = [t.text for t in meant.left() if not own.issuperset(tokens(t.text))]
    if left:
        why = f"it is not clear what “{' '.join(left)}” means among its columns ({', '.join(table.columns)})"
        return Undecided(table, f"in the table “{table.name}” {why}") if meant.values else None
    column = (
        (named or list(words) or [""])[0] if operation == "list" else (named[0] if named and not meant.values else "")
    )
    if operation == "list" and not column:
        return None
    asked = Computation(
        table=table.id, operation=operation, column=column, conditions=_conditions(meant), title=table.name
    )
    return _done(asked, table)


def _done(asked: Computation, table: Table) -> Reading:
    outcome: Outcome = compute(asked, table)
    return Reading(table, outcome.text, outcome.cells, outcome.rows, asked, outcome.sentence)
