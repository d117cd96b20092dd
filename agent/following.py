"""A question that follows on a report: what it speaks of is taken from the run, and what the run holds is read first."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.retrieval.types import Hit, Passage

from . import balance, blocks
from .choosing import choice
from .drafting import known_answers, list_open, quote, slot_of
from .evidence_text import content, overlap
from .questions import names_something, resolved, spoken_of, subquestions
from .sentences import place_of
from .state import Event, Events, Query, ResearchState, Steps, SubQuestion, Tools
from .whole import remaining

QUOTED = 5  # sentences that answer an open follow-up
ENOUGH = 2  # of them without which more is asked for
CHARACTERS = 1500  # of sources that such an answer quotes
READING = 3  # times the passages of a query: what of a run's evidence is read for a follow-up


def begin(state: ResearchState, tools: Tools) -> Events:
    """The follow-up becomes sub-questions of the report, each with a place of its own at its end."""
    words = state.steering.question
    text = meant(state, words)
    planned = (tools.reader.plan if tools.reader else subquestions)(text)
    added = _numbered(state, planned, words, "" if names_something(text) else state.question)
    state = state.model_copy(update={"questions": (*state.questions, *added)})
    for question in added:
        section = f"answer.{question.id}"
        wanted = [blocks.heading(question.id, section, question.asked, 2)]
        wanted += [blocks.answer(question, section)] if not question.is_open else []
        state = blocks.put(state, wanted)
    for question in added:
        data = {"question": question.id, "text": words, "resolved": question.text}
        yield Event(step="steer", kind="asked", text=question.text, data=data)
    why = f"a person asked on: “{words}”"
    yield Event(
        step="steer", kind="replanned", text=why, data={"added": [q.id for q in added], "dropped": [], "why": why}
    )
    return state


def _numbered(state: ResearchState, planned: Sequence[SubQuestion], words: str, beside: str) -> list[SubQuestion]:
    """The planned questions under ids that the report has not used, asked in the person's own words where there is one.

    What names nothing by itself is asked with the run's question `beside` it.
    """
    known = {q.id for q in state.questions} | {
        mark.partition("/")[0] for mark in state.read
    }  # one that was dropped read too
    numbers = [int(name[1:]) for name in known if name[:1] == "q" and name[1:].isdecimal()]
    first = 1 + max(numbers, default=0)
    names = {q.id: f"q{n}" for n, q in enumerate(planned, first)}
    found = []
    for question in planned:
        text = question.text
        for old in question.depends_on:
            text = text.replace(f"{{{old}}}", f"{{{names[old]}}}")
        change = {
            "id": names[question.id],
            "text": f"{text} – {beside}" if beside else text,
            "asked": words if len(planned) == 1 else question.asked,
            "depends_on": tuple(names[old] for old in question.depends_on),
            "asked_in": state.version,
        }
        found.append(question.model_copy(update=change))
    return found


def meant(state: ResearchState, words: str) -> str:
    """A follow-up with its pronoun replaced by what the run last spoke of; as it is where nothing of the run is meant."""
    known = known_answers(state)
    for earlier in reversed(state.facts):
        said = spoken_of(words, resolved(earlier, known) or earlier.asked, known.get(earlier.id, ""))
        if said != words:
            return said
    return spoken_of(words, state.question, "")


def to_read(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> list[Passage]:
    """Of what a follow-up has not been held against: first the nearest of all that the run holds, then what was searched for it."""
    unread = [p for p in state.firm if f"{question.id}/{p.id}" not in state.read]
    if state.round:
        return [p for p in unread if p.id in state.fresh]
    return nearest(tools, text, unread, READING * state.budget.passages)


def nearest(tools: Tools, text: str, passages: Sequence[Passage], count: int) -> list[Passage]:
    """The passages nearest to a text, best first: by the reader's vectors, else by the words they share."""
    if not passages:
        return []
    if tools.reader:
        asked = tools.reader.vectors([text])[0]
        scores = [float(row @ asked) for row in tools.reader.vectors([p.text for p in passages])]
    else:
        scores = [overlap(content(text), p.text) for p in passages]
    ranked = sorted(zip(scores, range(len(passages)), strict=True), key=lambda s: (-s[0], s[1]))
    return [passages[n] for _, n in ranked[:count]]


def unanswered(state: ResearchState) -> list[SubQuestion]:
    """The follow-ups of this version that what is held does not answer."""
    return [q for q in state.follow_ups if _is_open(state, q)]


def _is_open(state: ResearchState, question: SubQuestion) -> bool:
    if not question.is_open:
        return slot_of(state, question).status == "open"
    return len(_quoted(state, question)) < ENOUGH


def _quoted(state: ResearchState, question: SubQuestion) -> list[str]:
    return [b.text for b in state.draft.section(f"answer.{question.id}") if b.kind == "quotation"]


def write(state: ResearchState, tools: Tools) -> Steps:
    """Quote what answers the open follow-ups; one that too little answers is asked of the sources."""
    for question in [q for q in unanswered(state) if q.is_open]:
        held = to_read(state, tools, question, question.text)
        state = state.model_copy(update={"read": (*state.read, *(f"{question.id}/{p.id}" for p in held))})
        if tools.reader and held:
            state = yield from _quote(state, tools, question, held)
        if _is_open(state, question) and all(q.question != question.id for q in state.queries):
            query = Query(text=question.text, question=question.id, reason="question")
            state = state.model_copy(update={"queries": (*state.queries, query)})
        yield state
    return state


def _quote(state: ResearchState, tools: Tools, question: SubQuestion, held: Sequence[Passage]) -> Events:
    assert tools.reader is not None, "asked for by the caller"
    hits = [Hit(passage=p, score=1.0 / n, rank=n) for n, p in enumerate(held, 1)]
    chosen = choice(tools.reader, question, hits, CHARACTERS)
    lead = balance.ahead(balance.decisive(tools, question, held), chosen)
    chosen = [*lead, *remaining(chosen, [place_of(c) for c in lead])]
    section = f"answer.{question.id}"
    standing = set(_quoted(state, question))  # what stands further up is said here again: it answers what was asked on
    for piece in chosen[: QUOTED - len(_quoted(state, question))]:
        first = piece.sentences[0].passage
        if piece.text in standing:
            continue
        state, claim = quote(state, section, question.id, first, piece.start, piece.end)
        block = state.draft.block(claim.id)
        assert block is not None, "it was put there just now"
        data = {"span": block.spans[0].id, "text": block.text, "section": section}
        yield Event(step="revise", kind="wrote", text=block.text, data=data)
    return state


def missing(state: ResearchState) -> Events:
    """Name the open follow-ups that nothing answers."""
    for question in [q for q in state.follow_ups if q.is_open and not _quoted(state, q)]:
        asked = "; ".join(q.text for q in state.queries if q.question == question.id and q.asked) or "nothing beyond"
        why = f"{question.asked} Nothing that was found answers this; searched: the evidence of the run, and {asked}."
        state = list_open(state, question.id, why)
        yield Event(step="finish", kind="unestablished", text=why, data={"question": question.id})
    return state
