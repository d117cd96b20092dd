"""Whether a table accounts for the words of a question: those that it does not hold may ask of something else."""

from __future__ import annotations

from collections.abc import Sequence, Set

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import ITEM, Row, Table

from . import figures, speech
from .computing import dimension_of, values_of
from .matching import Meant, Token, forms, understood


def accounts(question: str, table: Table, columns: Sequence[str]) -> bool:
    """Whether a table holds every word of a question that carries meaning: "Why did nitrate fall at Kelso?" asks for no nitrate."""
    if ITEM in table.columns:
        return True  # an entry that is asked for by its number accounts for its words itself
    own = {stem for column in columns for stem in tokens(column)}
    return not beside(understood(question, table).left(), own)


def beside(left: Sequence[Token], own: Set[str]) -> list[Token]:
    """The words some form of which is not among these stems: "operate" is said of an "Operator"."""
    return [t for t in left if not set(tokens(t.text)) <= own]


def has_strangers(meant: Meant, column: str) -> bool:
    """Whether a name or figure of the question stands nowhere in what was found."""
    own = set(forms(column))
    return any(t.is_name and t.form not in own for t in meant.left())


def is_of_another(meant: Meant, column: str, table: Table, rows: Sequence[Row]) -> bool:
    """Whether a question asks of something else than the rows it names: the cost of the "ferry landing" is not that of the ferry.

    Nouns tell it that no cell of the rows, column or measure holds: any, where words name the column, for then nothing asks for it in
    words of its own; else those that go on a row's name, where there are others to ask with. "The clerk Bo" is Bo.
    """
    held = {stem for name in table.columns for stem in tokens(name)}
    held |= {stem for row in rows for cell in row.fields for stem in tokens(cell.text)}
    left = [t for t in beside(meant.left(), held) if not _measures(t, column, table)]
    tags = speech.question_tags([t.text for t in meant.tokens])
    places = {n for n, t in enumerate(meant.tokens) if t in left and speech.is_noun(tags[n])}
    if column in meant.named:
        return any(not _introduces(n, meant) for n in places)
    behind = [n for n in sorted(places) if n - 1 in meant.used]
    return bool(behind) and len(left) > len(behind)


def _introduces(place: int, meant: Meant) -> bool:
    """Whether a word stands right ahead of a name that a row holds."""
    return place + 1 in meant.used and meant.tokens[place + 1].is_name


def _measures(token: Token, column: str, table: Table) -> bool:
    """Whether a word is a unit of what a column measures, or what that is: metres, or the length."""
    dimension = dimension_of(column, values_of(table, column))
    figure = figures.single(f"1 {token.text}")
    return bool(dimension) and dimension in (token.form, figure.dimension if figure else "")
