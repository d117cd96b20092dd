"""What of a question a table holds: the values, columns and dates that it names, and the bounds that it sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import regex  # type: ignore[import-untyped]

from palimpsest.retrieval.records import Row, Table

from . import figures
from .asking import FUNCTION_WORDS
from .computing import BLANK, Condition, Relation, content_of, values_of
from .dates import iso

_TOKEN = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:[-–'’./:@_+][\p{L}\p{M}\p{N}]+)*")
YEAR = len("2026")  # what is no longer names no month
_NUMERIC_DATE = regex.compile(r"\d+[./]\d+[./]\d+")  # it has two readings
LONG_NAME = 4  # words of a cell that a part of them may name
LONGEST_NAME = 10  # words of a cell that are looked for in a question
OPERATION_WORDS = frozenset(
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


def understood(question: str, table: Table) -> Meant:
    """The values, conditions and columns of a table that a question names."""
    meant = Meant(tokens_of(question))
    _name_columns(meant, table)
    _name_dates(meant, question, table)
    _set_conditions(meant, question, table)  # "since 2020" names no row of 2020
    _name_values(meant, table)
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


def numbers_of(word: str) -> tuple[str, ...]:
    """One and several of what a word names, casefolded, the longest first; the S of "AIDS" is its own."""
    one = word.casefold() if word.endswith("S") else form(word)
    several = f"{one[:-1]}ies" if one.endswith("y") else f"{one}es"
    return (*(w for w in (several, f"{one}s") if form(w) == form(one)), one)


def forms(text: str) -> list[str]:
    return [t.form for t in tokens_of(text)]


def _is_empty(word: str) -> bool:
    return word in FUNCTION_WORDS or word in OPERATION_WORDS or word in _ADDS_NOTHING or word in _ORDINALS


def _name_columns(meant: Meant, table: Table) -> None:
    """Columns all of whose words stand in the question; a longer name before a shorter one that it holds."""
    asked = [t.form for t in meant.tokens]
    for column in sorted(table.columns, key=lambda c: -len(forms(c))):
        words = [w for w in forms(without_unit(column)) if w not in FUNCTION_WORDS]
        inside = any(set(words) < set(forms(other)) for other in meant.named)
        if words and not inside and set(words) <= set(asked):
            meant.named.append(column)


def without_unit(column: str) -> str:
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
    is_year = len(text) == 4 and text.isdecimal() and 1500 <= int(text) < 2200
    kind = "date" if is_year else "figure"
    fitting = [c for c in table.columns if content_of(values_of(table, c)) == kind]
    named = [c for c in fitting if c in meant.named]
    chosen = named or fitting
    return chosen[0] if len(chosen) == 1 else ""


def is_about(meant: Meant, table: Table) -> bool:
    """Whether some word of the question that carries meaning stands around the table."""
    around = set(forms(table.about))
    return any(t.form in around and not _is_empty(t.form) for t in meant.tokens)


def matching_rows(meant: Meant, table: Table) -> list[Row]:
    """The rows that hold every value that the question names."""
    return [
        row
        for row in table.rows
        if all((cell := row.get(c)) and cell.text in values for c, values in meant.values.items())
    ]


def conditions_of(meant: Meant) -> tuple[Condition, ...]:
    """What the question names and the bounds it sets, as conditions of a computation."""
    by_name = [Condition(column=c, relation="is", values=tuple(dict.fromkeys(v))) for c, v in meant.values.items()]
    return (*by_name, *meant.conditions)
