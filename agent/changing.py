"""How something became another, told by a table by years: what is asked about as it was at each time, in order, every cell cited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.records import Field, Row, Table

from . import blocks, thresholds
from .asking import FUNCTION_WORDS, asks_for_change, what_changed
from .choosing import found
from .comparing import MOST_COMPARED, Means
from .computing import date_of, meets
from .draft import Block, Span, Support
from .drafting import refer
from .forms import TABLE
from .matching import OPERATION_WORDS, tokens_of, understood, without_unit
from .state import Event, Reader, ResearchState, Steps, SubQuestion, Tools
from .tabling import hold

FORMS = ("open", "balance")
HEADING = "Change over time"
LEAST, MOST = 2, 24  # times between which something may have changed, and rows that a reader takes in


class Moment(NamedTuple):
    """What was at a time: its name, the cell that holds it (None where it heads a column), and cells by what they tell."""

    name: str
    cell: Field | None
    told: dict[str, Field]


class Series(NamedTuple):
    """A table by years: what its times are called ("" where they head columns), what it tells of each, and what it told at each."""

    table: Table
    head: str
    names: tuple[str, ...]
    moments: tuple[Moment, ...]


def write(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """The table by years of a question for a change, once; nothing where no table surely tells of what it asks about."""
    reader, records = tools.reader, tools.records
    if reader is None or records is None or question.form not in FORMS or not asks_for_change(question.text):
        return state
    tables = (
        records.tables_beside([hit.passage for hit in found(state, question)]) if not state.draft.block(TABLE) else []
    )
    told = (told_of(question.text, series, reader, records.column) for series in filter(None, map(by_time, tables)))
    series = next((s for s in told if len(s.moments) >= LEAST), None)
    if series is None:
        return state
    state = refer(hold(state, question, question.text, series.table.passages), series.table.passages[0])
    block = _block(question, series)
    yield Event(step="revise", kind="wrote", text="; ".join(series.names), data={"span": block.spans[0].id})
    draft = state.draft.append(blocks.heading(TABLE, TABLE, HEADING, 2), blocks.order(state))
    return blocks.put(state.model_copy(update={"draft": draft}), [block])


def by_time(table: Table) -> Series | None:
    """A table as what it tells over time: its first column holds a time of its own in each row, or columns are headed by times."""
    if not table.columns or len(table.rows) > MOST:
        return None
    first, *others = table.columns
    times = [cell.text if (cell := row.get(first)) else "" for row in table.rows]
    if len(times) >= LEAST and len(set(map(date_of, times)) - {None}) == len(times):
        moments = tuple(
            Moment(cell.text, cell, _by_name(row, others)) for row in table.rows if (cell := row.get(first))
        )
        return Series(table, first, tuple(others), moments)
    columns = [c for c in table.columns if date_of(c)]
    rows = {_name_of(row, table): row for row in table.rows}
    if len(columns) < LEAST or len(rows) < len(table.rows):
        return None
    across = ({name: cell for name, row in rows.items() if (cell := row.get(c))} for c in columns)
    return Series(table, "", tuple(rows), tuple(Moment(c, None, a) for c, a in zip(columns, across, strict=True)))


def _by_name(row: Row, columns: Sequence[str]) -> dict[str, Field]:
    return {column: cell for column in columns if (cell := row.get(column))}


def _name_of(row: Row, table: Table) -> str:
    """What a row of a table whose columns are times is called; the only row may be called as what heads the table."""
    cell = next((f for f in row.fields if not date_of(f.name)), None)
    return cell.text if cell else (table.passages[0].path or (table.source.title,))[-1]


def told_of(question: str, series: Series, reader: Reader, means: Means) -> Series:
    """What a series tells of what is asked about, in the order of time and within the bounds set; no moments where that is not sure."""
    subject = what_changed(question)
    names = _asked(subject, series, reader, means)
    if not names or len(names) > MOST_COMPARED:
        return series._replace(moments=())
    kept = [m for m in series.moments if _is_within(question, m, series) and any(n in m.told for n in names)]
    return series._replace(names=names, moments=tuple(sorted(kept, key=lambda m: date_of(m.name) or 0.0)))


def _asked(subject: str, series: Series, reader: Reader, means: Means) -> tuple[str, ...]:
    """What of a series is asked about: what the subject names or surely means, else all of a series that it names by what is around it.

    None where a word is left that the question would not be the same without.
    """
    around = set(tokens(f"{series.table.about} {series.head}"))
    words = [t.text for t in tokens_of(subject) if t.text not in FUNCTION_WORDS and t.form not in OPERATION_WORDS]
    unheld = [w for w in words if not set(tokens(w)) <= around]
    named, left = _named(subject, unheld, series.names, means)
    names = named or (series.names if len(left) < len(words) else ())
    return names if all(_is_plain(reader, subject, word) for word in left) else ()


def _named(
    subject: str, words: Sequence[str], names: Sequence[str], means: Means
) -> tuple[tuple[str, ...], Sequence[str]]:
    """The names all of whose words the subject has, but for what they are counted per, else the one that words mean; and which of the
    words neither accounts for.

    "Times" is accounted for by "Waiting" where "waiting times" means it; words that share none with what they mean are all it.
    """
    said, own = set(tokens(subject)), {name: _stems(without_unit(name)) for name in names}
    counted = {name: _stems(without_unit(name).partition(" per ")[0]) for name in names}
    named = _said_whole(own, said) or _said_whole(counted, said)
    if named:
        runs = (list(run) for is_joint, run in groupby(subject.split(), FUNCTION_WORDS.__contains__) if not is_joint)
        meant = {word for run in runs if means(" ".join(run), names) in named for word in run}
        held = set().union(*own.values())
        return named, [w for w in words if w not in meant and not set(tokens(w)) <= held]
    column = means(" ".join(words), names) if words else ""
    others = [w for w in words if not set(tokens(w)) <= own.get(column, set())]
    return ((column,), others if len(others) < len(words) else ()) if column else ((), words)


def _stems(name: str) -> set[str]:
    return set(tokens(name)) - FUNCTION_WORDS


def _said_whole(own: Mapping[str, set[str]], said: set[str]) -> tuple[str, ...]:
    """The names all of whose words are said."""
    return tuple(name for name, stems in own.items() if stems and stems <= said)


def _is_plain(reader: Reader, subject: str, word: str) -> bool:
    """Whether a word tells little of what changed: the "use" of a ferry, the "situation" of a lake."""
    asked = f"How has {subject} changed?"
    whole, rest = reader.vectors([asked, asked.replace(word, "", 1)])
    return 1.0 - float(whole @ rest) < thresholds.SHIPPED.plain


def _is_within(question: str, moment: Moment, series: Series) -> bool:
    """Whether a time lies within the bounds that a question sets: "since 2020", "between 2005 and 2021"."""
    times = [Field(HEADING, m.name, "", 0, 0) for m in series.moments]
    rows = tuple(Row(n, "", 0, 0, (time,)) for n, time in enumerate(times, 1))
    alone = replace(series.table, columns=(HEADING,), rows=rows, about="")
    bounds = understood(question, alone).conditions
    row = rows[[m.name for m in series.moments].index(moment.name)]
    return all(meets(row, bound) for bound in bounds)


def _block(question: SubQuestion, series: Series) -> Block:
    header = [_fixed(0, n, name) for n, name in enumerate((series.head, *series.names))]
    rows = [
        [_cell(r, 0, m.name, m.cell), *(_cell(r, n, "", m.told.get(name)) for n, name in enumerate(series.names, 1))]
        for r, m in enumerate(series.moments, 1)
    ]
    lines = tuple(tuple(span.id for span in row) for row in (header, *rows))
    spans = tuple(span for row in (header, *rows) for span in row)
    return Block(id=TABLE, kind="table", section=TABLE, about=question.id, spans=spans, rows=lines)


def _fixed(row: int, column: int, text: str) -> Span:
    return Span(id=f"{TABLE}.{row}.{column}", text=text or " ")


def _cell(row: int, column: int, name: str, cell: Field | None) -> Span:
    """A cell as it stands in its source; what heads a column there, or stands nowhere, is fixed."""
    if cell is None:
        return _fixed(row, column, name)
    support = Support(passage=cell.passage, quote=cell.text, start=cell.start, end=cell.end)
    return Span(id=f"{TABLE}.{row}.{column}", text=cell.text, kind="TEXT", status="filled", support=(support,))
