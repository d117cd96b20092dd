"""Tables of a report, looked back at: whose words head them, and whose stand in their cells."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.agent import listing
from palimpsest.agent.draft import COPIED, Block, Span, Support, copied_words
from palimpsest.agent.matching import forms
from palimpsest.agent.state import ResearchState


def table_problems(block: Block, state: ResearchState) -> list[str]:
    """The rows of a table are the things that were compared, its columns what was asked of them or words of the evidence."""
    cells = {s.id: s for s in block.spans}
    rows = [[cells[name] for name in row if name in cells] for row in block.rows]
    question = next((q for q in state.questions if q.id == block.about), None)
    if not rows or question is None or [s.id for row in rows for s in row] != list(cells):
        return [f"table {block.id} is not made of its cells"]
    if question.form == "list":
        return _list_problems(block, rows)
    if question.form != "comparison":
        return _series_problems(block, rows, state)
    (corner, *columns), *others = rows
    problems = [] if tuple(row[0].text for row in others) == question.things else [f"table {block.id} has other rows"]
    asked = {name[:1].upper() + name[1:] for name in question.attributes}
    strange = [s.text for s in columns if s.text not in asked and (asked or not stands(s.text, state))]
    problems += [f"table {block.id} has a column {name!r} that nobody asked for" for name in strange]
    fixed = [corner, *columns, *(row[0] for row in others)]
    inner = [s for row in others for s in row[1:]]
    problems += [p for row in others for s in row[1:] for p in _pair_problems(block, s, row[0].text, state)]
    if corner.text.strip() or any(s.kind != "FIXED" for s in fixed) or any(s.kind not in COPIED for s in inner):
        problems.append(
            f"table {block.id} holds words of the program's where a source's belong, or the other way round"
        )
    return problems


def is_compared(block: Block, state: ResearchState) -> bool:
    """Whether a block is the table of a comparison, whose cells alone may hold several values."""
    return block.kind == "table" and any(q.id == block.about and q.form == "comparison" for q in state.questions)


def in_pairs(span: Span) -> str:
    """What a cell of several values says; "" of what does not copy pairs of a name and a value."""
    quotes = [s.quote for s in span.support]
    return copied_words(quotes) if quotes and len(quotes) % 2 == 0 else ""


def _pair_problems(block: Block, span: Span, thing: str, state: ResearchState) -> list[str]:
    """Of several values in a cell each stands in one record of a source with what names it: its column, in a record of the thing, or
    a cell of the record, in a column that is called as the thing is.
    """
    pairs = list(zip(span.support[::2], span.support[1::2], strict=False)) if span.text == in_pairs(span) else []
    return [
        f"table {block.id} has a cell {span.text[:40]!r} whose {name.quote[:40]!r} does not name {value.quote[:40]!r}"
        for name, value in pairs
        if not _is_named(name, value, thing, state)
    ]


def _is_named(name: Support, value: Support, thing: str, state: ResearchState) -> bool:
    column, record = _name_in_record(value, state), _record_of(value, state)
    if record is None or name.passage != value.passage or _record_of(name, state) != record:
        return False
    wanted = set(forms(thing))
    if (name.quote, name.end + len(": ")) == (column, value.start):
        return any(wanted <= set(forms(text)) for text in _cells_in(record, value.passage, state))
    return wanted <= set(forms(column)) and bool(_name_in_record(name, state))


def _cells_in(record: tuple[int, int], passage: str, state: ResearchState) -> list[str]:
    """The cells of a record."""
    held = next(p for p in state.passages if p.id == passage)
    return [
        held.text[cell.start - held.start : cell.end - held.start]
        for cell in held.cells
        if record[0] <= cell.start and cell.end <= record[1]
    ]


def _list_problems(block: Block, rows: Sequence[Sequence[Span]]) -> list[str]:
    """The head of a list is the program's, and each entry stands in the sentence beside it."""
    head, *entries = rows
    if tuple(s.text for s in head) != listing.HEADER or any(s.kind != "FIXED" for s in head):
        return [f"table {block.id} has another head than a list"]
    problems = []
    for row in entries:
        places = [s.support[0] for s in row if s.kind in COPIED and s.support]
        if len(row) != 2 or len(places) != 2 or not _is_within(*places):
            problems.append(
                f"table {block.id} has an entry {row[0].text[:40]!r} that the sentence beside it does not hold"
            )
    return problems


def _series_problems(block: Block, rows: Sequence[Sequence[Span]], state: ResearchState) -> list[str]:
    """A table over time has a time in each row, which a cell holds or which heads what is told of it in its source, and what it tells
    under the names that it has there.
    """
    (corner, *columns), *moments = rows
    heads = [corner, *columns]
    problems = []
    if any(s.kind != "FIXED" for s in heads) or not all(stands(s.text, state) for s in heads if s.text.strip()):
        problems.append(f"table {block.id} has a column that stands in no source")
    for row in moments:
        names = [s.text for s in heads] if row[0].kind in COPIED else [row[0].text] * len(row)
        told = [(span, name) for span, name in zip(row, names, strict=True) if span.kind in COPIED and span.support]
        fixed = [s for s in row[1:] if s.kind == "FIXED" and s.text.strip()]
        if fixed or not all(name == _name_in_record(span.support[0], state) for span, name in told):
            problems.append(f"table {block.id} has a row {row[0].text[:40]!r} that is no record of a source")
        if row[0].kind in COPIED and len({_record_of(span.support[0], state) for span, _ in told}) > 1:
            problems.append(f"table {block.id} has a row {row[0].text[:40]!r} of several records")
    return problems


def _name_in_record(place: Support, state: ResearchState) -> str:
    """What a cell is called in its source; "" for what is none."""
    cells = (c for p in state.passages if p.id == place.passage for c in p.cells)
    return next((c.name for c in cells if (c.start, c.end) == (place.start, place.end)), "")


def _record_of(place: Support, state: ResearchState) -> tuple[int, int] | None:
    """Where the row that holds a place stands in its passage."""
    rows = (row for p in state.passages if p.id == place.passage for row in p.sentences)
    return next(((start, end) for start, end in rows if start <= place.start and place.end <= end), None)


def _is_within(inner: Support, outer: Support) -> bool:
    return inner.passage == outer.passage and outer.start <= inner.start and inner.end <= outer.end


def stands(words: str, state: ResearchState) -> bool:
    """Whether words stand in the evidence or in a title of it, whatever their case."""
    texts = (text for p in state.passages for text in (p.text, p.source.title, *p.path))
    return any(" ".join(words.casefold().split()) in " ".join(text.casefold().split()) for text in texts)
