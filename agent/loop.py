"""The loop: steps by name, the way from one to the next, and the plain runner that the graph must agree with."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence

from palimpsest.retrieval.types import Passage

from . import report
from .budget import may_read, timed
from .checking import check
from .drafting import give_up, revise
from .state import Event, ResearchState, TimedStep, Tools
from .steps import plan, search, weigh


def finish(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """Show what stayed open, what conflicts, what was revised and every source; only ever by adding spans."""
    state = yield from _mark_open(state)
    for conflict in state.conflicts:
        state = report.append(state, "conflicts", report.conflict_spans(state, conflict))
    revisions = [report.revision_span(state, n, r) for n, r in enumerate(state.revisions, 1)]
    state = report.append(state, "revisions", revisions)
    sources = {p.source.id: p.source for p in state.evidence}
    listed = [report.source_span(n, sources[s]) for n, s in enumerate(state.references, 1)]
    state = report.append(state, "sources", listed)
    state = state.model_copy(update={"finished": "budget" if _was_cut(state) else "settled"})
    filled = sum(state.draft.span(f"{q.id}.answer").status != "unestablished" for q in state.questions)
    yield Event(
        step="finish",
        kind="finished",
        text=f"{filled} of {len(state.questions)} answered, {len(state.references)} sources, "
        f"{len(state.revisions)} revisions, {len(state.conflicts)} conflicts",
        data={"answered": filled, "questions": len(state.questions), "stopped": state.finished},
    )
    return state


def _mark_open(state: ResearchState) -> Generator[Event, None, ResearchState]:
    """An answer that nothing filled says so in its place and in a section of its own."""
    for question in state.questions:
        place = state.draft.span(f"{question.id}.answer")
        if place.status == "open" and place.text == report.NOT_ESTABLISHED:  # a person opened it in vain
            still = place.model_copy(update={"status": "unestablished"})
            state = state.model_copy(update={"draft": state.draft.replace([still])})
        elif place.status == "open":
            heard = [h for h in state.graph.answers(question.id) if h.status != "refuted"][:3]
            rivals = "; ".join(f"{h.text} ({h.probability:.2f})" for h in heard) or "no passage offered an answer"
            read = f"Read {_count_read(state, question.id)} passages"
            why = f"{question.asked} {read}; not believed enough: {rivals}."
            state = yield from give_up(state, question, why)
    return state


def _count_read(state: ResearchState, question: str) -> int:
    return sum(r.startswith(f"{question}/") for r in state.read)


STEPS: dict[str, TimedStep] = {
    name: timed(name, step)
    for name, step in (
        ("plan", plan),
        ("search", search),
        ("weigh", weigh),
        ("revise", revise),
        ("check", check),
        ("finish", finish),
    )
}
NEXT = {"plan": "search", "search": "weigh", "weigh": "revise", "revise": "check"}


def begin(state: ResearchState) -> str:
    """The first step: a fresh question is planned, an amended report weighs what is new."""
    return "weigh" if state.questions else "plan"


def route(state: ResearchState) -> str:
    """After a check: search on while there are questions to ask and budget to ask them, else finish."""
    return "search" if _wants_more(state) and may_read(state) else "finish"


def _wants_more(state: ResearchState) -> bool:
    if state.version > 1 or state.round >= state.budget.rounds:
        return False
    return any(not q.asked for q in state.queries)


def _was_cut(state: ResearchState) -> bool:
    """Whether more would have been done had there been time."""
    return bool(state.cut) or (_wants_more(state) and not may_read(state))


def run(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """The plain loop: yields every event and returns the finished state."""
    name = begin(state)
    while name != "end":
        state = yield from STEPS[name](state, tools)
        name = "end" if name == "finish" else NEXT.get(name) or route(state)
    return state


def amend(
    state: ResearchState, passages: Sequence[Passage], reopen: Iterable[str] = (), pin: Iterable[str] = ()
) -> ResearchState:
    """A finished state prepared for its next version: new evidence, spans opened or pinned; KeyError for an unknown span.

    A person may open what was pinned; fixed words stay fixed (`Span.may_change`).
    """
    held = {p.id for p in state.evidence}
    fresh = tuple(p for p in passages if p.id not in held)
    draft = state.draft
    for name, status in [*((s, "open") for s in reopen), *((s, "pinned") for s in pin)]:
        span = draft.span(name)
        if span.may_change:
            draft = draft.swap([name], [span.model_copy(update={"status": status})])
    return state.model_copy(
        update={
            "version": state.version + 1,
            "evidence": state.evidence + fresh,
            "fresh": tuple(p.id for p in fresh),
            "draft": draft,
            "cut": (),
            "spent": 0.0,
            "finished": "",
        }
    )
