"""Report forms beyond plain sections: the balance of what speaks for and against, and the table of things by what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from palimpsest.retrieval.copies import clusters
from palimpsest.retrieval.types import Hit

from . import blocks
from .draft import Block, Span, Support, copied_words
from .drafting import ask, list_open, refer
from .sentences import Chosen, overlapping
from .standing import counted
from .state import Query, Reader, ResearchState, Side, SubQuestion
from .tabling import IN_RECORDS

TABLE = blocks.TABLE
SIDES: dict[Side, str] = {"for": "In support", "against": "Against, or without effect"}  # what heads each
SEARCHED = "; searched: "  # ahead of the queries that were tried for what is lacking
SEVERAL = 2  # independent sources without which one side alone is no verdict
COMPARED = (
    2  # things that a column which the question does not name must be told of: one alone is compared with nothing
)
Cell = tuple[Chosen, ...]  # a quotation, or pairs of what names a value in a table and the value
CELL_CHARACTERS = 400  # what a reader still takes in between two rules of a table


def verdict(sides: Sequence[Side], chosen: Sequence[Chosen]) -> str:
    """How what is quoted stands to the question, in words: how many independent sources read each way; "" where too few take a side."""
    by_side = list(zip(chosen, sides, strict=False))
    ours = _independent([c for c, side in by_side if side == "for"])
    theirs = _independent([c for c, side in by_side if side == "against"])
    if ours and theirs:
        return f"It is disputed: of what is quoted, {counted(ours)} read in support, {counted(theirs)} against or as without effect."
    if ours >= SEVERAL:
        return f"Of what is quoted, {counted(ours)} read in support, and none clearly against."
    if theirs >= SEVERAL:
        return f"Of what is quoted, {counted(theirs)} read against or as without effect, and none clearly in support."
    return ""


def _independent(chosen: Sequence[Chosen]) -> int:
    number = clusters([c.sentences[0].passage for c in chosen])
    return len(set(number.values()))


# The table of a comparison


def table(
    state: ResearchState,
    reader: Reader,
    question: SubQuestion,
    columns: Sequence[str],
    found: Sequence[Hit],
    chosen: Sequence[Chosen],
    rows: Mapping[tuple[str, str], Cell] | None = None,
) -> tuple[ResearchState, list[Chosen]]:
    """Things by attributes, each cell the sentence that says it or open; an open cell becomes a query. Also what the cells quote.

    A column that the question does not name stands only where it compares. A short quotation that was `chosen` fills its cell whole;
    what the `rows` of a source's table say goes before sentences.
    """
    told = _whole(_of_prose(reader.cells(question.things, columns, found)), chosen) if question.attributes else {}
    cells = {**{place: (held,) for place, held in told.items()}, **(rows or {})}
    if not question.attributes:
        columns = [c for c in columns if sum((thing, c) in cells for thing in question.things) >= COMPARED]
    used: list[Chosen] = []
    spans: list[Span] = [_fixed(f"{TABLE}.0.0", " "), *_header(columns)]
    lines = [tuple(s.id for s in spans)]
    for row, thing in enumerate(question.things, 1):
        line = [_fixed(f"{TABLE}.{row}.0", thing)]
        for column, attribute in enumerate(columns, 1):
            name, held = f"{TABLE}.{row}.{column}", cells.get((thing, attribute))
            if held is not None:
                used += held
                state = refer(state, held[0].sentences[0].passage)
            else:
                words = f"{thing}: {attribute}"
                state = ask(state, [Query(text=words, question=question.id, reason="outline", slots=(name,))])
            line.append(_cell(name, held))
        spans += line
        lines.append(tuple(s.id for s in line))
    if not used:
        return state, []
    block = Block(id=TABLE, kind="table", section=TABLE, about=question.id, spans=tuple(spans), rows=tuple(lines))
    return blocks.put(state, [block]), used


def _of_prose(cells: Mapping[tuple[str, str], Chosen]) -> dict[tuple[str, str], Chosen]:
    """The cells that are sentences: a row of a table holds many cells and is none."""
    return {place: held for place, held in cells.items() if held.sentences[0].passage.kind not in IN_RECORDS}


def _whole(cells: Mapping[tuple[str, str], Chosen], chosen: Sequence[Chosen]) -> dict[tuple[str, str], Chosen]:
    """The cells, each with the sentences beside its own that were chosen with it, where they are few and no other cell's."""
    found = dict(cells)
    for place, held in cells.items():
        quotation = next((c for c in chosen if overlapping(c, held)), held)
        shared = sum(overlapping(quotation, other) for other in cells.values())
        if shared == 1 and quotation.end - quotation.start <= CELL_CHARACTERS:
            found[place] = quotation
    return found


def fill(
    state: ResearchState,
    reader: Reader,
    question: SubQuestion,
    found: Sequence[Hit],
    is_free: Callable[[Chosen], bool],
) -> tuple[ResearchState, list[Span]]:
    """The open cells filled from what was found since, with sentences that are free; also the spans that were filled."""
    block = state.draft.block(TABLE)
    if block is None or not (waiting := list(open_cells(block))):
        return state, []
    shown = [block_text(block, name) for name in block.rows[0][1:]]
    columns = question.attributes or tuple(shown)
    cells = _of_prose(reader.cells(question.things, columns, found))
    filled: list[Span] = []
    for name, thing, attribute in waiting:
        held = cells.get((thing, columns[shown.index(attribute)]))
        if held is None or not is_free(held):
            continue
        state = refer(state, held.sentences[0].passage)
        filled.append(_cell(name, (held,)))
    return state.model_copy(update={"draft": state.draft.replace(filled)}), filled


def open_cells(block: Block) -> Iterator[tuple[str, str, str]]:
    """Span id, thing and attribute of each cell that waits."""
    return cells_that_are(block, "open")


def cells_that_are(block: Block, status: str) -> Iterator[tuple[str, str, str]]:
    """Span id, thing and attribute of each cell of this status."""
    spans = {s.id: s for s in block.spans}
    header = [spans[name].text for name in block.rows[0]]
    for row in block.rows[1:]:
        for name, attribute in zip(row[1:], header[1:], strict=True):
            if spans[name].status == status:
                yield name, spans[row[0]].text, attribute


def told(state: ResearchState) -> set[str]:
    """The things of which some cell says something: the cell of a row does not name its row."""
    block = state.draft.block(TABLE)
    if block is None:
        return set()
    spans = {s.id: s for s in block.spans}
    return {spans[row[0]].text for row in block.rows[1:] if any(spans[name].support for name in row[1:])}


def close(state: ResearchState) -> ResearchState:
    """Cells that nothing fills are shown as such."""
    block = state.draft.block(TABLE)
    if block is None:
        return state
    spans = {s.id: s for s in block.spans}
    empty = [spans[name].model_copy(update={"status": "unestablished"}) for name, _, _ in open_cells(block)]
    return state.model_copy(update={"draft": state.draft.replace(empty)})


def lacking(block: Block) -> dict[str, tuple[str, str]]:
    """For each row with cells that nothing fills, by its id, its thing and what is said of them."""
    rows: dict[str, tuple[str, list[str]]] = {}
    for name, thing, attribute in cells_that_are(block, "unestablished"):
        rows.setdefault(name.rpartition(".")[0], (thing, []))[1].append(f"“{attribute}”")
    return {
        name: (thing, f"{thing}: no sentence was surely read on {', '.join(held)}")
        for name, (thing, held) in rows.items()
    }


def list_again(state: ResearchState, cells: Iterable[str]) -> tuple[ResearchState, list[str]]:
    """What is said of the rows of these cells as they are now; the ids of the spans that went for it."""
    block = state.draft.block(TABLE)
    gone: list[str] = []
    for row in dict.fromkeys(name.rpartition(".")[0] for name in cells):
        before = "".join(b.text for b in state.draft.section("open") if b.id.startswith(f"open.{row}."))
        state, went = blocks.take_back(state, row)
        gone += went
        _, said = lacking(block).get(row, ("", "")) if block else ("", "")
        searched = "".join(before.partition(SEARCHED)[1:]) or "."
        state = list_open(state, row, f"{said}{searched}") if said else state
    return state, gone


def block_text(block: Block, name: str) -> str:
    return next(s.text for s in block.spans if s.id == name)


def _fixed(name: str, text: str) -> Span:
    return Span(id=name, text=text)


def _header(columns: Sequence[str]) -> list[Span]:
    return [_fixed(f"{TABLE}.0.{n}", name[:1].upper() + name[1:]) for n, name in enumerate(columns, 1)]


def _cell(name: str, held: Cell | None) -> Span:
    """What stands in one source, verbatim, or a place that waits for it."""
    if held is None:
        return Span(id=name, text="", kind="TEXT", status="open")
    support = tuple(Support(passage=c.sentences[0].passage.id, quote=c.text, start=c.start, end=c.end) for c in held)
    return Span(id=name, text=copied_words([c.text for c in held]), kind="TEXT", status="filled", support=support)
