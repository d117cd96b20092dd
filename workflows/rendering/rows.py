"""Quoted rows of one table that stand one behind the other, as every surface shows them: as a table under the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from palimpsest.agent.draft import Block, Span
from palimpsest.agent.state import ResearchState
from palimpsest.agent.tabling import IN_RECORDS
from palimpsest.retrieval.records import table_id
from palimpsest.retrieval.types import is_unnamed

from .text import is_listed

TOGETHER = 2  # rows that make a table; one alone reads as a record
CELL = "/cell/"  # between the id of a quotation and the number of its cell


class Row(NamedTuple):
    """A quoted row: the table it is of, and the text of each of its cells by the name of its column."""

    table: str
    cells: dict[str, str]


def laid_out(state: ResearchState, blocks: Sequence[Block]) -> list[Block]:
    """The blocks in order, rows of one table that follow on each other as one block of the kind table.

    Its cells are named after their quotation (see `quotation_of`), the first of each row with what that cites.
    """
    rows = {b.id: row for b in blocks if (row := _row(state, b))}
    shown: list[Block] = []
    for key, run in groupby(blocks, key=lambda b: (b.section, rows[b.id].table) if b.id in rows else b.id):
        found = list(run)
        is_table = isinstance(key, tuple) and len(found) >= TOGETHER
        shown += [_table(found, [rows[b.id].cells for b in found])] if is_table else found
    return shown


def quotation_of(span: str) -> str:
    """The id of the block whose cell a span of a table of rows is; "" of any other span."""
    block, mark, _ = span.partition(CELL)
    return block if mark else ""


def _row(state: ResearchState, block: Block) -> Row | None:
    """What a quotation is a row of; None of what is no row, or is just opened, pinned or a person's."""
    cited = block.span("citation")
    is_plain = all(s.status in ("fixed", "filled") and not s.person for s in block.spans)
    if block.kind != "quotation" or not is_listed(block) or not is_plain or cited is None or not cited.support:
        return None
    place = cited.support[0]
    passage = next((p for p in state.passages if p.id == place.passage), None)
    if passage is None or passage.kind not in IN_RECORDS:
        return None
    held = [c for c in passage.cells if place.start <= c.start and c.end <= place.end]
    cells = {c.name: passage.text[c.start - passage.start : c.end - passage.start] for c in held}
    if len(cells) < len(held) or not cells or any(map(is_unnamed, cells)):
        return None
    return Row(table_id(passage), cells)


def _table(quoted: Sequence[Block], rows: Sequence[dict[str, str]]) -> Block:
    names = list(dict.fromkeys(name for row in rows for name in row))
    first = quoted[0].id
    lines = [[Span(id=f"{first}{CELL}name.{n}", text=name) for n, name in enumerate(names)]]
    for block, row in zip(quoted, rows, strict=True):
        cited = block.span("citation")
        assert cited is not None, "a row is told by what it cites"
        cells = [_cell(block, n, row.get(name, "")) for n, name in enumerate(names)]
        lines.append([cells[0].model_copy(update={"support": cited.support}), *cells[1:]])
    return Block(
        id=first, kind="table", section=quoted[0].section, about=quoted[0].about,
        spans=tuple(span for line in lines for span in line), rows=tuple(tuple(s.id for s in line) for line in lines),
    )  # fmt: skip


def _cell(quoted: Block, number: int, text: str) -> Span:
    return Span(id=f"{quoted.id}{CELL}{number}", text=text, kind="TEXT", status="filled")
