"""Places outside sentences that a person opened: a section's heading and a cell of a table are denoised again from what is held."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.dlm_core.kinds import HEADING_QUESTION
from palimpsest.retrieval.types import Passage

from .draft import Block, Span, Support
from .drafting import refer, revised
from .evidence_text import content, overlap, within_kind
from .state import Events, Filled, ResearchState, Revision, Tools
from .watching import at

SHOWN = 4  # passages on one canvas


def settle(state: ResearchState, tools: Tools) -> Events:
    """Fill what a person opened in headings and tables; where nothing is read in what is held, the words that stood stand."""
    wished = set(state.steering.reopen)  # an empty cell that nobody opened waits for what is searched
    for block in [b for b in state.draft.blocks if b.kind in ("heading", "table")]:
        for span in [
            s for s in block.spans if s.status == "open" and s.may_change and (s.text or {s.id, block.id} & wished)
        ]:
            filled = _read(state, tools, block, span)
            state = yield from _settled(state, span, filled)
    return state


def _read(state: ResearchState, tools: Tools, block: Block, span: Span) -> Filled | None:
    """What the model reads for a place; None where there is nothing to read it in, or it reads nothing."""
    asked = HEADING_QUESTION if block.kind == "heading" else _asked_of(block, span)
    passages = _section(state, block) if block.kind == "heading" else _about(state, asked, span)
    if not passages:
        return None
    filled = at(tools, block.id, [[span.id]], "person").choose(asked, span.kind, passages)
    filled = within_kind(filled, span.kind)
    return filled if filled.passage and filled.text.strip() else None


def _asked_of(table: Block, cell: Span) -> str:
    """A cell as a question: what its row is about, and what its column says."""
    spans = {s.id: s.text.strip() for s in table.spans}
    row = next((r for r in table.rows if cell.id in r), ())
    column = table.rows[0][row.index(cell.id)] if row and table.rows else ""
    return f"{spans.get(row[0], '') if row else ''}: {spans.get(column, '')}"


def _section(state: ResearchState, heading: Block) -> list[Passage]:
    """The passages that a section quotes."""
    cited = [
        s for b in state.draft.section(heading.section) for s in (b.span("citation") or heading.spans[0]).support[:1]
    ]
    held = {p.id: p for p in state.evidence}
    return [held[name] for name in dict.fromkeys(s.passage for s in cited) if name in held][:SHOWN]


def _about(state: ResearchState, asked: str, cell: Span) -> list[Passage]:
    """The passages that a cell rests on, then those that share most words with what it says."""
    own = {s.passage for s in cell.support}
    wanted = content(asked)
    ranked: Sequence[Passage] = sorted(state.firm, key=lambda p: (p.id not in own, -overlap(wanted, p.text)))
    return list(ranked[:SHOWN])


def _settled(state: ResearchState, span: Span, filled: Filled | None) -> Events:
    """The place filled anew, or as it was, and the revision that says which."""
    stays = {"status": "filled" if span.support or span.kind == "OUTLINE" else "unestablished"}
    now = span.model_copy(update=stays if span.support or span.kind == "OUTLINE" else {**stays, "text": ""})
    if filled and filled.passage:
        support = Support(passage=filled.passage, quote=filled.text, start=filled.start, end=filled.end)
        change = {"text": filled.text, "status": "filled", "support": (support,), "confidence": filled.probability}
        now = span.model_copy(update=change)
        state = refer(state, state.passage(filled.passage))
    revision = Revision(
        version=state.version, span=span.id, reopened=(span.id,), old=span.text, new=now.text, reason="person",
        evidence=filled.passage if filled else None, after=filled.probability if filled else None,
        steps=filled.steps if filled else 0,
    )  # fmt: skip
    yield revised(revision)
    state = state.model_copy(update={"draft": state.draft.replace([now])})
    return state.model_copy(update={"revisions": (*state.revisions, revision)})
