"""The loop: steps by name, the way from one to the next, and the plain runner that the graph must agree with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from palimpsest.retrieval.types import Failure, Passage

from . import (
    beside,
    blocks,
    chains,
    changing,
    following,
    headings,
    hops,
    joining,
    limits,
    listing,
    nearest,
    person,
    prose,
    sections,
)
from .budget import may_read, timed
from .checking import check
from .choosing import topics
from .draft import Span
from .drafting import give_up, is_listed, list_open, refer, revised, slot_of, write_answers
from .hypotheses import Hypothesis
from .missing import again, missing, say_nearest
from .numbers import Numbers, odds
from .planned import is_yet_to_come
from .questions import claimed
from .standing import disputes, independent, standing, supporting
from .state import Event, Events, ResearchState, Revision, Steps, SubQuestion, TimedStep, Tools
from .steering import NOTHING, Steering
from .steps import plan, search, weigh

PLANNED = "told there as planned"


def revise(state: ResearchState, tools: Tools) -> Steps:
    """Write what is believed into the answers, and what was chosen into the sections of an open report."""
    state = yield from write_answers(state, tools)
    for question in (q for q in state.questions if state.version == 1 and _wants_sections(state, q)):
        state = yield from listing.write(state, tools, question)
        state = yield from changing.write(state, tools, question)
        state = yield from sections.write(state, tools, question)
        yield state
    return (yield from following.write(state, tools))


def finish(state: ResearchState, tools: Tools) -> Steps:
    """Say quotations in prose where somebody writes; show what stayed open, what conflicts, what was revised and every source."""
    state = (yield from limits.say(state, tools)) if state.version == 1 else state
    state = yield from _mark_open(state, tools)
    for question in (q for q in state.questions if q.is_open):
        state = yield from headings.follow(state, tools, question)
    for question in (q for q in state.questions if state.version == 1 and _wants_sections(state, q)):
        state = yield from missing(state, tools, question)
    state = yield from following.missing(state)
    for question in (q for q in state.questions if q.is_open and q.asked_in < state.version and not state.finished):
        state = yield from joining.join(state, tools, question)  # by now it took the place of what it contradicts
        if _wants_sections(state, question) and question.asked_in == 1:
            state = yield from again(state, tools, question)
    for question in (q for q in state.questions if q.is_open and q.asked_in == 1):
        state = yield from say_nearest(state, tools, question)
    state = yield from beside.write(state, tools)
    if state.version == 1:
        state = yield from prose.write(state, tools)
    state = _incomplete(state)
    state = yield from chains.show(state, tools)
    state = yield from _restate(state, tools.numbers)
    listed = [blocks.conflict(state, c) for c in state.conflicts]
    listed += [blocks.line(f"unread.{n}", "unread", _unread(f)) for n, f in enumerate(state.failures, 1)]
    listed += [blocks.revision(n) for n in range(1, len(state.revisions) + 1)]
    sources = {p.source.id: p.source for p in state.passages}
    listed += [blocks.source(n, sources[s]) for n, s in enumerate(state.references, 1)]
    state = blocks.put(state, listed)
    if not state.finished:
        state = state.model_copy(update={"finished": "budget" if _was_cut(state) else "settled"})
    text, data = summary(state)
    yield Event(step="finish", kind="finished", text=text, data=data)
    return state


def summary(state: ResearchState) -> tuple[str, dict[str, Any]]:
    """What a finished state comes to, in words and as data."""
    filled, asked = sum(slot_of(state, q).status != "unestablished" for q in state.facts), len(state.facts)
    parts = len({b.section for b in state.draft.blocks if b.section in blocks.SECTIONS})
    counts = [f"{filled} of {asked} answered"] * bool(asked) + [_counted(parts, "section")] * bool(parts)
    named = ((state.references, "source"), (state.revisions, "revision"), (state.conflicts, "conflict"))
    counts += [_counted(len(things), name) for things, name in named]
    data = {"answered": filled, "questions": asked, "sections": parts, "stopped": state.finished}
    return ", ".join(counts), data


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _unread(failure: Failure) -> str:
    return failure.message if failure.name in failure.message else f"{failure.name}: {failure.message}"


def _mark_open(state: ResearchState, tools: Tools) -> Events:
    """An answer that nothing filled says so in its place and in a section of its own."""
    for question in state.facts:
        place = slot_of(state, question)
        found = [n for n in state.notes if n.question == question.id]
        notes, cited = " ".join(n.text for n in found), next((n.support for n in found if n.support), None)
        if question.tentative and place.status == "open" and not place.text:
            state = sections.without(state, question)
            state = list_open(state, question.id, f"{question.asked} {notes}", cited) if notes else state
            why = f"“{question.asked}” has no one answer in what was read; the sections answer it"
            dropped = {"added": [], "dropped": [question.id], "why": why}
            yield Event(step="finish", kind="replanned", text=why, data=dropped)
        elif place.status == "open" and not place.text and is_listed(state, question.id):
            still = place.model_copy(update={"status": "unestablished"})  # a person opened it in vain
            state = state.model_copy(update={"draft": state.draft.replace([still])})
        elif place.status == "open":
            rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"][:3]
            named = "; ".join(h.text for h in rivals)
            doubt = (
                "no chain of sources speaks of enough of it"
                if hops.is_broken(state, question)
                else "not believed enough"
            )
            offered = f"{doubt}: {named}" if rivals else "no passage offered an answer"
            why = f"{question.asked} Read {_count_read(state, question.id)} passages; {offered}.{' ' * bool(notes)}{notes}"
            state = yield from give_up(state, question, tools.numbers, why, cited)
            state = yield from nearest.quoted(state, tools, question)
    return state


def _wants_sections(state: ResearchState, question: SubQuestion) -> bool:
    """Whether an open question is for sections: a list that was made of a table's rows needs none."""
    written = {
        b.words[0].hypothesis for b in state.draft.blocks if b.kind == "answer" and b.words[0].status == "filled"
    }
    listed = any(h.computation and h.id in written for h in state.graph.hypotheses)
    return question.is_open and not (question.operation == "list" and listed)


def _incomplete(state: ResearchState) -> ResearchState:
    """A list over prose says that it may lack something: no sentence says that it is whole. What has topics, or is answered by yes or
    no, is no list of its own.
    """
    may_list = [q for q in state.questions if q.form in ("open", "balance") and not claimed(q.text)]
    lists = [q for q in may_list if q.operation == "list" and not topics(q)]
    answered = any(slot_of(state, q).status in ("filled", "pinned") for q in state.facts)
    if not lists or answered or state.version > 1 or not state.references:
        return state
    said = "Listed are the sentences that were found; nothing that was read says that the list is whole, and it may be incomplete."
    return list_open(state, "list", said)


def _restate(state: ResearchState, numbers: Numbers) -> Events:
    """Answers say how they stand now; once a report is out, a change of that is a revision of its own."""
    for question in state.facts:
        place = slot_of(state, question)
        shown = state.draft.span(f"{question.id}.standing")
        if place.status != "filled" or place.hypothesis is None:
            continue
        answer = state.graph.get(place.hypothesis)
        now = _how(state, numbers, answer, place)
        if now == shown.text:
            continue
        state = state.model_copy(update={"draft": state.draft.replace([shown.model_copy(update={"text": now})])})
        is_told = any(shown.id in r.reopened for r in state.revisions if r.version == state.version)
        if question.asked_in < state.version and not is_told:
            newest = _newest(state, answer)
            state = refer(state, state.passage(newest))
            revision = Revision(
                version=state.version, span=shown.id, reopened=(shown.id,), old=shown.text, new=now,
                reason="dependent" if disputes(state, answer) else "new evidence", evidence=newest,
            )  # fmt: skip
            yield revised(revision, "finish")
            state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    return state


def _how(state: ResearchState, numbers: Numbers, answer: Hypothesis, place: Span) -> str:
    """How an answer stands, what other sources say beside it, that it tells of what is yet to come, and that it is doubted where one
    source says it and its chance of being right, as far as that was measured, is small.
    """
    question = next(q for q in state.facts if q.id == answer.question)
    own = answer.support[0]
    is_coming = answer.computation is None and is_yet_to_come(question.text, state.passage(own.passage), own)
    said = [standing(state, answer), PLANNED * is_coming, beside.how(state, numbers, question)]
    words = "; ".join(filter(None, said))
    if place.confidence is None or answer.computation is not None or independent(state, answer) > 1:
        return words
    chance = hops.chance(state, numbers, answer.question, odds(place.confidence))
    return f"{words}; more likely wrong than right" if chance < numbers.doubted else words


def _newest(state: ResearchState, answer: Hypothesis) -> str:
    """The passage for which the standing of an answer changed: the latest that disputes it, or that says the same."""
    against = [c.other.passage for c in disputes(state, answer)]
    return (against or supporting(state, answer))[-1]


def _count_read(state: ResearchState, question: str) -> int:
    return sum(r.startswith(f"{question}/") for r in state.read)


STEPS: dict[str, TimedStep] = {
    name: timed(name, step)
    for name, step in (
        ("plan", plan),
        ("steer", person.steer),
        ("search", search),
        ("weigh", weigh),
        ("revise", revise),
        ("check", check),
        ("finish", finish),
    )
}
NEXT = {"plan": "search", "steer": "weigh", "search": "weigh", "weigh": "revise", "revise": "check"}


def begin(state: ResearchState) -> str:
    """The first step: a fresh question is planned, an amended report does what a person asked of it."""
    return "steer" if state.questions else "plan"


def route(state: ResearchState) -> str:
    """After a check: search on while there are questions to ask and budget to ask them, else finish."""
    return "search" if _wants_more(state) and may_read(state) else "finish"


def _wants_more(state: ResearchState) -> bool:
    """Whether there is something to ask: of a finished report only where a follow-up question is not answered by what is held."""
    if state.round >= state.budget.rounds or (state.version > 1 and not following.unanswered(state)):
        return False
    return any(not q.asked for q in state.queries)


def _was_cut(state: ResearchState) -> bool:
    """Whether more would have been done had there been time."""
    return bool(state.cut) or (_wants_more(state) and not may_read(state))


def run(state: ResearchState, tools: Tools) -> Events:
    """The plain loop: yields every event and returns the finished state."""
    name = begin(state)
    while name != "end":
        state = yield from STEPS[name](state, tools)
        name = "end" if name == "finish" else NEXT.get(name) or route(state)
    return state


QUICK = 10.0  # seconds that a stopped run may take to write what it knows


def conclude(state: ResearchState, tools: Tools) -> Events:
    """A usable report of whatever is known, for a run that a person stopped: what is believed is written, the rest is named."""
    yield Event(step="finish", kind="stopped", text="stopped by a person; what was known by then is written down")
    budget, tools = state.budget, replace(tools, stop=None)
    hurried = budget.model_copy(update={"seconds": state.spent + QUICK})
    state = state.model_copy(update={"budget": hurried, "finished": "stopped"})
    if not state.questions:
        state = yield from STEPS["plan"](state, tools)
    for name in ("revise", "finish"):
        state = yield from STEPS[name](state, tools)
    return state.model_copy(update={"budget": budget})


def amend(
    state: ResearchState,
    passages: Sequence[Passage],
    reopen: Iterable[str] = (),
    pin: Iterable[str] = (),
    steering: Steering = NOTHING,
) -> ResearchState:
    """A finished state prepared for its next version: new evidence, and what a person asks; KeyError for an unknown span or block.

    A person may open what was pinned; fixed words stay fixed (`Span.may_change`).
    """
    wish = steering.model_copy(update={"reopen": (*steering.reopen, *reopen), "pin": (*steering.pin, *pin)})
    held = {p.id for p in state.passages}
    fresh = tuple(p for p in passages if p.id not in held)
    return state.model_copy(
        update={
            "version": state.version + 1,
            "steering": wish,
            "evidence": state.evidence + fresh,
            "fresh": tuple(p.id for p in fresh),
            "draft": person.marked(state.draft, wish),
            "queries": tuple(q for q in state.queries if q.asked),
            "round": 0 if wish.question else state.round,
            "cut": (),
            "spent": 0.0,
            "finished": "",
        }
    )
