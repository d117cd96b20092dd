"""What goes on from a sentence that lost to another source goes with it: "The speed was measured …" says nothing without its speed.

In one paragraph of a source the sentences behind a lost one speak of what it said; no rule of wording tells which of them do not.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from .draft import Block, Support
from .drafting import revised, slot_of
from .selection import Chosen, Where, place_of, shares_words
from .state import Event, Reason, ResearchState, Revision, Tools

Events = Generator[Event, None, ResearchState]
LOST = "what it goes on from lost to another source"


def standing_without(state: ResearchState, chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations as far as they neither are nor go on from what lost a conflict."""
    lost = _lost(state)
    kept = [(piece, _kept(state, piece, lost)) for piece in chosen]
    return [p if count == len(p.sentences) else Chosen(p.sentences[:count], p.score) for p, count in kept if count]


def _kept(state: ResearchState, piece: Chosen, lost: Sequence[Where]) -> int:
    """How many sentences of a quotation stand, from its start."""
    places = [place_of(s) for s in piece.sentences]
    return next((n for n, place in enumerate(places) if _is_of(state, place, lost)), len(places))


def fall(state: ResearchState, tools: Tools) -> Events:
    """Quotations of an open report that go on from what lost leave it, and a heading that nothing is left under."""
    if "dependent" not in tools.reopens:
        return state
    lost = _lost(state)
    for block in sorted(_quotations(state), key=quoted_place):
        if _goes_on(state, quoted_place(block), lost) and not _is_held(state, block):
            state = yield from withdraw(state, block, "dependent", LOST, "finish")
            lost = [*lost, quoted_place(block)]
    return state


def _lost(state: ResearchState) -> list[Where]:
    return [where(c.other) for c in state.conflicts]


def where(support: Support) -> Where:
    """The place of a support in its source."""
    return support.passage.rpartition("-")[0], support.start, support.end


def quoted_place(block: Block) -> Where:
    """The place that a quotation cites."""
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    return where(cited.support[0])


def _is_of(state: ResearchState, place: Where, lost: Sequence[Where]) -> bool:
    return any(shares_words(place, gone) for gone in lost) or _goes_on(state, place, lost)


def _goes_on(state: ResearchState, place: Where, lost: Sequence[Where]) -> bool:
    """Whether words stand directly behind lost ones, in the same paragraph."""
    return any(
        gone[0] == place[0] and gone[2] <= place[1] and _joins(state, place[0], gone[2], place[1]) for gone in lost
    )


def _joins(state: ResearchState, source: str, start: int, end: int) -> bool:
    """Whether nothing but blanks, and no end of a paragraph, lies between two places of a source."""
    held = [p for p in state.evidence if p.source.id == source and p.start <= start and end <= p.end]
    between = [p.text[start - p.start : end - p.start] for p in held]
    return any(not b.strip() and b.count("\n") < 2 for b in between)


def _quotations(state: ResearchState) -> list[Block]:
    """Quotations that no answer stands over."""
    needed = {name for q in state.facts for name in slot_of(state, q).depends_on}
    return [b for b in state.draft.blocks if b.kind == "quotation" and not needed & {s.id for s in b.spans}]


def _is_held(state: ResearchState, block: Block) -> bool:
    """Whether a person pinned words of a quotation, or opened it: what a person does stays a person's."""
    return any(s.status != "filled" for s in block.spans if s.role != "citation")


def withdraw(state: ResearchState, block: Block, reason: Reason, why: str, step: str) -> Events:
    """A quotation leaves the report, with its section's heading where nothing else stands under it; `why` is said of it."""
    left = [b for b in state.draft.section(block.section) if b.id != block.id]
    gone = [block] if any(b.kind != "heading" for b in left) else [block, *left]
    spans = tuple(s.id for b in gone for s in b.spans)
    yield Event(
        step=step, kind="reopened", text=f"reopened “{block.text}”: {why}",
        data={"spans": list(spans), "evidence": None, "reason": reason},
    )  # fmt: skip
    revision = Revision(
        version=state.version, span=spans[0], reopened=spans, old=block.text, new="", reason=reason, evidence=None,
        is_gone=True,
    )  # fmt: skip
    yield revised(revision, step)
    draft = state.draft.swap([b.id for b in gone], [])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})
