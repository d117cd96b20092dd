"""What a person does to a finished report: pins, lets go, opens, writes words of their own, bans a source, asks on.

Each is an event, and whatever it changes is a revision, so that everything else is provably as it was.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from . import banning, blocks, following
from .draft import Block, Draft, Span
from .drafting import follow, put_answer, quote_of, revised, sentence_parts, slot_of
from .state import Event, Events, Reason, ResearchState, Revision, Steps, Tools
from .steering import Edit, Steering

SENTENCES = ("quotation", "statement", "prose")  # blocks that a person may write over as a whole


def places(draft: Draft, name: str) -> list[Span]:
    """The spans that the id of a span or block names and that may change; KeyError when it names none."""
    block = draft.block(name)
    return [s for s in (block.words if block else [draft.span(name)]) if s.may_change]


def marked(draft: Draft, wish: Steering) -> Draft:
    """The draft with spans opened, pinned and let go as a person wishes; their own words are taken back by `steer`."""
    for name in wish.reopen:
        for span in places(draft, name):
            draft = draft if _is_written_over(draft, span) else draft.mark(span.id, "open")
    for name in wish.pin:
        for span in places(draft, name):
            draft = draft.mark(span.id, "pinned")
    for name in wish.unpin:
        for span in (s for s in places(draft, name) if s.status == "pinned"):
            draft = draft.mark(span.id, "filled")
    return draft


def _is_written_over(draft: Draft, span: Span) -> bool:
    """Whether a person's words stand in the place of a sentence of a source."""
    block = draft.block_of(span.id)
    return block.kind == "statement" and any(s.person for s in block.words)


def steer(state: ResearchState, tools: Tools) -> Steps:
    """Do what a person asked of this version; what follows from it is the work of the other steps."""
    wish = state.steering
    yield from _told(state, wish)
    for name in wish.reopen:
        state = yield from _take_back(state, name)
    for source in wish.ban:
        state = yield from banning.ban(state, source)
    for edit in wish.edits:
        state = yield from _write_over(state, edit)
    if wish.question:
        state = yield from following.begin(state, tools)
    return state


def _told(state: ResearchState, wish: Steering) -> Generator[Event, None, None]:
    if state.fresh:
        sources = {state.passage(p).source.id: state.passage(p).source.title for p in state.fresh}
        data = {"passages": list(state.fresh), "sources": list(sources)}
        yield Event(step="steer", kind="attached", text=f"evidence: {', '.join(sources.values())}", data=data)
    if wish.pin:
        text = f"pinned {_named(state, wish.pin)}"
        yield Event(step="steer", kind="pinned", text=text, data={"spans": list(wish.pin)})
    if wish.unpin:
        text = f"may change again: {_named(state, wish.unpin)}"
        yield Event(step="steer", kind="unpinned", text=text, data={"spans": list(wish.unpin)})


def _named(state: ResearchState, names: Sequence[str]) -> str:
    """The words that ids of spans and blocks stand for."""
    return ", ".join(f"“{''.join(s.text for s in places(state.draft, name))}”" for name in names)


def _take_back(state: ResearchState, name: str) -> Events:
    """Where a person's words stand over a source's sentence, the sentence stands again, to be judged as any other."""
    block = state.draft.block(name) or state.draft.block_of(name)
    if not any(_is_written_over(state.draft, s) for s in block.words):
        return state
    held = {p.id for p in state.evidence}
    claim = next((h for h in state.graph.hypotheses if h.id == block.about), None)
    if (
        claim is None or claim.support[0].passage not in held
    ):  # of the program's own, or of a banned source: none to put back
        draft = state.draft
        for span in block.words:
            draft = draft.mark(span.id, "open")
        return state.model_copy(update={"draft": draft})
    whole = claim.support[0]
    passage = state.passage(whole.passage)
    words = sentence_parts(passage, whole.start, whole.end)
    fresh = blocks.quotation(block.id, block.section, words, passage, block.about, blocks.turn_of(block) + 1)
    return (yield from _put(state, block, fresh, "person", [s.id for s in block.spans]))


def _put(state: ResearchState, block: Block, fresh: Block, reason: Reason, opened: list[str]) -> Events:
    """Another block in the place of one, and the revision that says so."""
    revision = Revision(
        version=state.version, span=opened[0], reopened=tuple(opened), old=block.text, new=fresh.text,
        reason=reason, evidence=None,
    )  # fmt: skip
    yield revised(revision, "steer")
    draft = state.draft.swap([block.id], [fresh])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})


def _write_over(state: ResearchState, edit: Edit) -> Events:
    """A person's words in a place: they are pinned and marked; a quotation with such words in it is one no longer."""
    block = state.draft.block(edit.span) or state.draft.block_of(edit.span)
    place = places(state.draft, edit.span)[0]
    is_whole = block.id == edit.span and block.kind in SENTENCES
    yield Event(
        step="steer",
        kind="edited",
        text=f"“{block.text if is_whole else place.text.strip()}” → “{edit.words}”, a person's words",
        data={"span": place.id, "old": block.text if is_whole else place.text, "new": edit.words},
    )
    fresh = _with_words(block, place, edit.words, is_whole)
    after = {s.id: s for s in fresh.spans}
    opened = [s.id for s in block.spans if after.get(s.id) != s]
    resting = [q for q in state.facts if block.kind != "answer" and _rests_on(state, q.id, block)]
    state = yield from _put(state, block, fresh, "edit", [place.id, *(s for s in opened if s != place.id)])
    for (
        question
    ) in resting:  # an answer and the words under it never disagree: its source's sentence is laid under it again
        state = _let_go(state, question.id)
        answer = slot_of(state, question).hypothesis
        if answer is not None:
            state = yield from put_answer(state, question, state.graph.get(answer), "dependent")
    if block.kind == "answer":
        state = follow(state, next(q for q in state.facts if q.id == block.about))
    return state


def _with_words(block: Block, place: Span, words: str, is_whole: bool) -> Block:
    """A block with a person's words for one of its places, or for the whole of it."""
    lead = place.text[: len(place.text) - len(place.text.lstrip())]
    trail = place.text[len(place.text.rstrip()) :] if place.text.strip() else ""
    text = words.strip() if is_whole else f"{lead}{words.strip()}{trail}"
    own = {"text": text, "status": "pinned", "person": True, "support": (), "confidence": None, "depends_on": ()}
    written = place.model_copy(update=own)
    if is_whole:
        return block.model_copy(update={"kind": "statement", "spans": (written,)})
    spans = tuple(written if s.id == place.id else s for s in block.spans)
    if block.kind == "answer":
        empty = {"text": "", "support": (), "hypothesis": None, "status": "unestablished"}
        spans = tuple(s if s.role == "words" else s.model_copy(update=empty) for s in spans)
    kind = "statement" if block.kind == "quotation" else block.kind
    return block.model_copy(update={"kind": kind, "spans": spans})


def _rests_on(state: ResearchState, question: str, block: Block) -> bool:
    asked = next(q for q in state.facts if q.id == question)
    quoted = quote_of(state, asked)
    return quoted is not None and quoted.id == block.id and slot_of(state, asked).status == "filled"


def _let_go(state: ResearchState, question: str) -> ResearchState:
    """An answer's slot that rests on nothing for now."""
    place = state.draft.span(f"{question}.answer").model_copy(update={"depends_on": ()})
    return state.model_copy(update={"draft": state.draft.replace([place])})
