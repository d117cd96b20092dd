"""A draft as the page shows it: plain values made of a state, which the draft's script turns into elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from palimpsest.agent.draft import Block, Span, Support
from palimpsest.agent.frames import Slot
from palimpsest.agent.state import ResearchState
from palimpsest.workflows.rendering.rows import laid_out
from palimpsest.workflows.rendering.text import NOT_ESTABLISHED, WHY, is_listed, marks, speaker, title_of, visible

from .look import KINDS

PLACES = {"ENTITY": 3, "NUMBER": 2, "TEXT": 7, "OUTLINE": 4}  # tiles of an open place of which nothing else is known
LEFT_OUT = ("title", "revisions")  # sections that stand elsewhere on the page


def sheet(
    state: ResearchState,
    blocks: Sequence[Block] | None = None,
    slots: Mapping[str, Slot] | None = None,
    picked: str = "",
    busy: bool = False,
    still: bool = False,
) -> dict[str, Any]:
    """The draft of a state, or `blocks` that are younger; `slots` are the places that are filled just now, by their spans.

    One that is `still` is looked at only: nothing of it can be chosen.
    """
    shown = blocks or laid_out(state, state.draft.blocks)
    view = _View(state, slots or {})
    found = [view.block(b) for b in shown if b.section not in LEFT_OUT]
    return {"blocks": found, "picked": picked, "busy": busy, "still": still}


def chosen_by(block: Block) -> str:
    """The span that is meant by choosing a block as a whole: the first that a person may change, else its citation."""
    citation = block.span("citation")
    return next((s.id for s in block.words if s.may_change), citation.id if citation else "")


class _View:
    def __init__(self, state: ResearchState, slots: Mapping[str, Slot]):
        self.state, self.slots = state, slots
        self.sources = {p.id: p.source for p in state.passages}
        self.numbers = {source: n for n, source in enumerate(state.references, 1)}

    def block(self, block: Block) -> dict[str, Any]:
        citation, standing = block.span("citation"), block.span("standing")
        is_table = block.kind == "table"
        return {
            "id": block.id,
            "kind": block.kind,
            "level": block.level,
            "listed": block.kind == "quotation" and is_listed(block),
            "rows": [list(row) for row in block.rows] if is_table else [],
            "spans": [
                self.span(s, block) for s in (block.spans if is_table or block.kind == "conflict" else block.words)
            ],
            "leads": self.leads(block),
            "note": self.note(block),
            "cite": chosen_by(block),
            "cited": self.cited(citation.support) if citation else [],
            "speaker": self.speaker(block, citation),
            "short": shorten(visible(block.text), 60, placeholder=" …"),
            "standing": visible(standing.text) if standing and standing.text else "",
        }

    def span(self, span: Span, block: Block) -> dict[str, Any]:
        drawn: dict[str, Any] = {"id": span.id, "kind": span.kind, "text": visible(span.text), "title": "", "marks": []}
        drawn["stop"] = span.may_change and (block.kind != "quotation" or span.is_place)  # of the keyboard
        if span.status == "open" or self.is_filled_now(span):
            return drawn | self.mask(span)
        if span.status == "unestablished":
            drawn["text"] = "–" if block.kind == "table" else NOT_ESTABLISHED
        if span.status == "pinned":
            drawn |= {"marks": ["pinned"], "title": "pinned: never changes"}
        if span.leads:
            drawn |= {"marks": [*drawn["marks"], "leads"], "title": "leads on to the next sentence"}
        if span.person:
            drawn |= {"marks": [*drawn["marks"], "person"], "title": "written by a person"}
        return drawn

    def is_filled_now(self, span: Span) -> bool:
        return span.id in self.slots and any(t.open for t in self.slots[span.id].tokens)

    def mask(self, span: Span) -> dict[str, Any]:
        """An open place as tiles; of one that is filled just now each tile shows what would be written, paler the less sure it is."""
        slot = self.slots.get(span.id)
        why = slot.reason if slot else ""
        kind = slot.kind if slot else span.kind
        title = f"an open place: {KINDS.get(kind, 'words')}" + (f" ({WHY.get(why, why)})" if why else "")
        empty = [{"text": "", "open": True, "sure": 0.0}] * PLACES.get(kind, 1)
        seen = (
            [t for t in slot.tokens if t.open or t.text] if slot else []
        )  # a settled place may end before its last token
        tiles = [{"text": visible(t.text).strip(), "open": t.open, "sure": t.certainty or 0.0} for t in seen]
        return {"mask": kind, "tiles": tiles or empty, "title": title, "why": WHY.get(why, why) if why in WHY else ""}

    def leads(self, block: Block) -> dict[str, str]:
        if block.kind != "conflict" or len(block.spans) < 2:
            return {}
        sides = zip(("Kept", "Against it"), block.spans, strict=False)
        return {span.id: f"{side}: {self.titled(span)}" for side, span in sides}

    def titled(self, span: Span) -> str:
        source = self.sources.get(span.support[0].passage) if span.support else None
        numbers = "".join(f" [{n}]" for n in self.cited(span.support))
        return visible(title_of(source)) + numbers if source else "a source that is no longer held"

    def speaker(self, block: Block, citation: Span | None) -> str:
        """Whose words a quotation is where it says "we" and not whose; "" of a source that the state does not hold yet."""
        is_held = citation is not None and all(s.passage in self.sources for s in citation.support)
        return visible(speaker(self.state, block)) if block.kind == "quotation" and is_held else ""

    def note(self, block: Block) -> str:
        if block.kind != "source":
            return ""
        source = next((s for s in self.sources.values() if s.id == block.about), None)
        if source is None:
            return "a source that is no longer held"
        origin = f" (from the {source.date_from})" if source.date and source.date_from else ""
        parts = [
            source.title,
            ", ".join(source.authors),
            (source.date or "undated") + origin,
            source.uri,
            *marks(source),
        ]
        return ". ".join(visible(p).rstrip(".") for p in parts if p)

    def cited(self, support: Sequence[Support]) -> list[int]:
        found = [self.numbers.get(self.sources[s.passage].id) for s in support if s.passage in self.sources]
        return list(dict.fromkeys(n for n in found if n))
