"""A list over prose: the things that the nearest passages name in answer, each once, beside the sentence that names it."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.retrieval.types import Passage

from . import blocks
from .choosing import found
from .denials import denied
from .draft import Block, Span, Support
from .drafting import refer
from .evidence_text import content, names_several, same_answer, sentence_at, slice_of, tidy
from .forms import TABLE
from .state import Candidate, Event, ResearchState, Steps, SubQuestion, Tools
from .watching import at

A_PASSAGE = 3  # things read in one passage
LEAST, MOST = 2, 12  # things that make a list, and that a reader takes in
HEADING, HEADER = "What was found", ("Entry", "Where it is said")


def write(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """The list of a question for one, once; nothing where fewer than two things are read surely enough."""
    if question.form != "list" or state.draft.block(TABLE) is not None:
        return state
    passages = [h.passage for h in found(state, question)][: 2 * state.budget.passages]
    things = _things(tools, question, passages)
    if len(things) < LEAST:
        return state
    held = {p.id: p for p in passages}
    for thing in things:
        state = refer(state, held[thing.passage])
    block = _table(question, things, held)
    yield Event(step="revise", kind="wrote", text="; ".join(t.text for t in things), data={"span": block.spans[0].id})
    draft = state.draft.append(blocks.heading(TABLE, TABLE, HEADING, 2), blocks.order(state))
    return blocks.put(state.model_copy(update={"draft": draft}), [block])


def _things(tools: Tools, question: SubQuestion, passages: Sequence[Passage]) -> list[Candidate]:
    """What is surely read as an answer, the surest first, each thing once; what its own sentence denies is none."""
    held = {p.id: p for p in passages}
    writer = at(tools, f"{question.id}.block", [[TABLE]], "question")
    read = [tidy(c, held[c.passage], question.text) for c in writer.answers(question.text, "TEXT", passages, A_PASSAGE)]
    sure = sorted((c for c in read if c.probability >= tools.numbers.listed), key=lambda c: -c.probability)
    asked, kept = content(question.text), list[Candidate]()
    for candidate in (c for c in sure if not names_several(c.text) and not content(c.text) <= asked):
        if not any(same_answer(candidate.text, other.text) for other in kept):
            kept.append(candidate)
    gone = [c for c, _ in denied(tools.writer, tools.numbers, question.text, [(c, held[c.passage]) for c in kept])]
    return [c for c in kept if c not in gone][:MOST]


def _table(question: SubQuestion, things: Sequence[Candidate], held: dict[str, Passage]) -> Block:
    header = [Span(id=f"{TABLE}.0.{n}", text=name) for n, name in enumerate(HEADER)]
    rows = [[_thing(n, c), _sentence(n, c, held[c.passage])] for n, c in enumerate(things, 1)]
    spans = tuple(span for row in (header, *rows) for span in row)
    names = tuple(tuple(span.id for span in row) for row in (header, *rows))
    return Block(id=TABLE, kind="table", section=TABLE, about=question.id, spans=spans, rows=names)


def _thing(row: int, found: Candidate) -> Span:
    support = Support(passage=found.passage, quote=found.text, start=found.start, end=found.end)
    return Span(
        id=f"{TABLE}.{row}.0",
        text=found.text,
        kind="TEXT",
        status="filled",
        confidence=found.probability,
        support=(support,),
    )


def _sentence(row: int, found: Candidate, passage: Passage) -> Span:
    start, end = sentence_at(passage, found.start, found.end)
    support = Support(passage=passage.id, quote=slice_of(passage, start, end).text, start=start, end=end)
    return Span(id=f"{TABLE}.{row}.1", text=support.quote, kind="TEXT", status="filled", support=(support,))
