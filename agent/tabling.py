"""Answers from tables in the state: cells that were looked up, and what was computed over rows, with every row cited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from palimpsest.retrieval.records import Row, Table, tables
from palimpsest.retrieval.types import Passage

from . import blocks
from .computing import Computation, NotComputable, Outcome, compute
from .draft import Block, Span, Support
from .hypotheses import Edge, Hypothesis, Relation
from .lookups import Reading, Undecided
from .questions import claimed
from .state import Event, Events, Find, Note, ResearchState, SubQuestion, Tools

UNRANKED = 10_000  # the rank of passages that came with their table and were not searched for
IN_RECORDS = ("row",)  # kinds of passages that are read as records and in no other way


def look_up(
    state: ResearchState, tools: Tools, question: SubQuestion, text: str, passages: Sequence[Passage]
) -> Events:
    """What the tables among the passages answer becomes a rival answer; what is not clear is noted for the list of open things.

    A cell of another kind than what is asked for is no answer: the day of a memo is no capacity.
    """
    records = tools.records
    found = records.read(text, question.operation, records.tables(passages), question.by_record) if records else None
    if records is None or found is None:
        return state
    if isinstance(found, Undecided):
        if claimed(text):  # "are they worth their money?" asks for no cell
            return state
        note = Note(question=question.id, text=f"{found.why[0].upper()}{found.why[1:]}.")
        return state if note in state.notes else state.model_copy(update={"notes": (*state.notes, note)})
    if found.computation is None and tools.fits(text, [found.text]) == [False]:
        return state
    state = _hold(state, question, text, found)
    if any(_is_same(state, h, found) for h in state.graph.answers(question.id)):
        return state
    count = 1 + sum(h.question == question.id and h.kind == "answer" for h in state.graph.hypotheses)
    node = Hypothesis(
        id=f"{question.id}.h{count}", question=question.id, text=found.text, kind="answer", belief=records.belief,
        support=_support(found), computation=found.computation,
    )  # fmt: skip
    graph = state.graph.put(node).link(Edge(source=node.id, relation=Relation.ANSWERS, target=question.id))
    how = found.sentence or f"row {found.rows[0].number} of the table “{found.table.name}”"
    yield Event(step="weigh", kind="believed", text=f"{question.asked} {found.text} ({how})",
                data={"hypothesis": node.id, "text": found.text, "probability": node.probability, "question": question.id})  # fmt: skip
    return state.model_copy(update={"graph": graph})


def _is_same(state: ResearchState, known: Hypothesis, found: Reading) -> bool:
    return known.text == found.text and known.computation == found.computation and known.support == _support(found)


def _hold(state: ResearchState, question: SubQuestion, text: str, found: Reading) -> ResearchState:
    """The state that holds the passages a reading rests on: of a computation the whole table, so that it can be done again."""
    used = {row.passage for row in found.rows} | {cell.passage for cell in found.cells}
    return hold(state, question, text, [p for p in found.table.passages if found.computation or p.id in used])


def hold(state: ResearchState, question: SubQuestion, text: str, wanted: Sequence[Passage]) -> ResearchState:
    """The state that holds these passages, found with their table and read for a question."""
    held = {p.id for p in state.evidence}
    more = tuple({p.id: p for p in wanted if p.id not in held}.values())
    finds = tuple(Find(passage=p.id, query=text, rank=UNRANKED, score=0.0) for p in more)
    read = tuple(f"{question.id}/{p.id}" for p in more)
    return state.model_copy(
        update={"evidence": state.evidence + more, "finds": state.finds + finds, "read": state.read + read}
    )


def _support(found: Reading) -> tuple[Support, ...]:
    """The cell an answer is; of a computation first the cells it names, then every row it rests on."""
    cells = tuple(Support(passage=c.passage, quote=c.text, start=c.start, end=c.end) for c in found.cells)
    return cells if found.computation is None else (*cells, *_rows(found.table.passages, found.rows))


def _rows(passages: Iterable[Passage], rows: Iterable[Row]) -> tuple[Support, ...]:
    held = {p.id: p for p in passages}
    texts = [(r, held[r.passage].text[r.start - held[r.passage].start : r.end - held[r.passage].start]) for r in rows]
    return tuple(Support(passage=r.passage, quote=text, start=r.start, end=r.end) for r, text in texts)


def is_verbatim(answer: Hypothesis) -> bool:
    """Whether an answer stands as it is in one cell; lists, counts and sums stand nowhere."""
    return answer.computation is None or answer.support[0].quote == answer.text


def again(state: ResearchState, computation: Computation) -> tuple[Table, Outcome]:
    """The table as the state holds it, and the computation done again. NotComputable where it is not there or does not allow it."""
    table = next((t for t in tables(state.evidence) if t.id == computation.table), None)
    if table is None:
        raise NotComputable("its table is not held")
    return table, compute(computation, table)


def statement(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> Block:
    """The sentence that says what was computed, with every row it used cited."""
    assert answer.computation is not None, "only what was computed has a statement"
    table, outcome = again(state, answer.computation)
    rows = _rows(table.passages, outcome.rows)
    name = f"{question.id}.computed~{state.version}"
    said = Span(
        id=f"{name}.0", text=outcome.sentence, kind="COMPUTED", status="filled", hypothesis=answer.id, support=rows
    )
    cited = Span(id=f"{name}.cite", text="", kind="CITE", role="citation", status="filled", hypothesis=answer.id, support=rows,
                 depends_on=(said.id,))  # fmt: skip
    return Block(
        id=name, kind="statement", section=f"answer.{question.id}", about=answer.id, spans=(said, cited),
        computation=answer.computation,
    )  # fmt: skip


def lay_under(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> ResearchState:
    """The state with the statement of a computed answer in its section."""
    return blocks.put(state, [statement(state, question, answer)])


def problems(state: ResearchState, block: Block) -> list[str]:
    """What is wrong with a computed statement: it is computed again from the rows that the state holds."""
    if block.computation is None:
        return [f"statement {block.id} says what was computed, and not from what"]
    try:
        table, outcome = again(state, block.computation)
    except NotComputable as reason:
        return [f"statement {block.id} cannot be computed again: {reason}"]
    if outcome.sentence != block.text:
        return [f"statement {block.id} says {block.text[:80]!r}; computed again it is {outcome.sentence[:80]!r}"]
    if _rows(table.passages, outcome.rows) != block.words[0].support:
        return [f"statement {block.id} does not cite the rows that it is computed from"]
    return []


def answer_problems(state: ResearchState, block: Block) -> list[str]:
    """What is wrong with an answer that stands in no source: it is what the statement beside it comes to."""
    place = block.words[0]
    stated = next((b for b in state.draft.blocks if b.computation and b.about == place.hypothesis), None)
    if stated is None or stated.computation is None:
        return [f"answer {place.id} ({place.text[:40]!r}) was computed, and nothing says how"]
    try:
        _, outcome = again(state, stated.computation)
    except NotComputable as reason:
        return [f"answer {place.id} cannot be computed again: {reason}"]
    return (
        []
        if outcome.text == place.text
        else [f"answer {place.id} says {place.text[:40]!r}; computed again it is {outcome.text[:40]!r}"]
    )
