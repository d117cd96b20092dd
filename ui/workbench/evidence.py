"""The evidence of one span: where its words stand, of when they are, who says the same, who says otherwise, how they were found."""

from __future__ import annotations

from collections.abc import Callable

from palimpsest.agent import standing
from palimpsest.agent.blocks import Passage, Source
from palimpsest.agent.draft import Block, Span, Support
from palimpsest.agent.hypotheses import Hypothesis
from palimpsest.agent.state import ResearchState, Revision
from palimpsest.workflows.rendering.text import WHY, change, title_of

from . import places
from .diffs import between
from .markup import element, escape, listed, text

REASONS = {
    "question": "to answer the question",
    "bridge": "to find a name that leads on",
    "outline": "because a heading lacked evidence",
    "check": "to check a sentence",
    "person": "because a person asked",
}


def card(state: ResearchState, block: Block, span: Span, read: Callable[[Source], str]) -> str:
    """Everything about a span; `read` gives the stored text of a source, or "" where there is none."""
    supports = span.support or (cited.support if (cited := block.span("citation")) else ())
    parts = [_head(block, span)]
    if not supports:
        parts.append(_without(span))
    for support in places.chosen(block, span, supports)[:3]:
        parts.append(_source(state, block, support, read))
    hypothesis = next((h for h in state.graph.hypotheses if h.id in (span.hypothesis, block.about)), None)
    parts += [_others(state, hypothesis, supports), _against(state, hypothesis), _history(state, block, span)]
    return element("div", "".join(parts), class_="pp-card", id=f"evidence-{span.id}")


def _source(state: ResearchState, block: Block, support: Support, read: Callable[[Source], str]) -> str:
    passage = next((p for p in state.passages if p.id == support.passage), None)
    if passage is None:
        return "<p>Its source is no longer held.</p>"
    return places.shown(passage, support, places.sentence(block, support), read(passage.source)) + _found(
        state, passage
    )


def _head(block: Block, span: Span) -> str:
    is_whole = span.role != "words" or not span.text or (block.kind == "quotation" and not span.is_place)
    words = block.text if is_whole else span.text
    how = block.span("standing")
    says = f' <span class="pp-standing">{escape(how.text)}</span>' if how and how.text else ""
    return element("h3", f"“{escape(words)}”{says}")


def _without(span: Span) -> str:
    if span.person:
        return "<p>Words of a person: no source stands behind them, and the report says so.</p>"
    if span.status == "open":
        return "<p>Still open: no source has filled it yet.</p>"
    if span.status == "unestablished":
        return "<p>Not established: nothing that was read says it well enough.</p>"
    return "<p>The program's own words; they claim nothing that a source would have to say.</p>"


def _found(state: ResearchState, passage: Passage) -> str:
    asked = {q.text: q.reason for q in state.queries}
    ways = [f for f in state.finds if f.passage == passage.id]
    if not ways:
        return "<h4>How it was found</h4><p>A person brought it.</p>"
    lines = [
        f"“{escape(f.query)}”, place {f.rank}: {REASONS.get(asked.get(f.query, ''), 'a query of the run')}"
        for f in ways[:4]
    ]
    return "<h4>How it was found</h4>" + listed(lines)


def _others(state: ResearchState, hypothesis: Hypothesis | None, supports: tuple[Support, ...]) -> str:
    if hypothesis is None:
        return ""
    held = {p.id: p for p in state.passages}
    own = {held[s.passage].source.id for s in supports if s.passage in held}
    agreeing = {held[p].source.id: held[p].source for p in standing.supporting(state, hypothesis) if p in held}
    lines = [text("span", title_of(s)) for s in agreeing.values() if s.id not in own]
    return "<h4>Who else says it</h4>" + (listed(lines) if lines else "<p>No other source that was read.</p>")


def _against(state: ResearchState, hypothesis: Hypothesis | None) -> str:
    if hypothesis is None:
        return ""
    held = {p.id: p for p in state.passages}
    lines = [
        f"{escape(title_of(held[c.other.passage].source))}: “{escape(c.other.quote)}” – {escape(c.reason)}"
        for c in standing.disputes(state, hypothesis)
        if c.other.passage in held
    ]
    return "<h4>Who contradicts it</h4>" + (listed(lines) if lines else "<p>Nobody that was read.</p>")


def _history(state: ResearchState, block: Block, span: Span) -> str:
    lines = [_told(r) for r in history(state, block, span)]
    return "<h4>What happened to it</h4>" + (listed(lines) if lines else "<p>It stands as it was first written.</p>")


def history(state: ResearchState, block: Block, span: Span) -> list[Revision]:
    """The revisions that opened a span, or words that stood in its place."""
    own = {span.id, *(s.id for s in block.spans)}
    return [r for r in state.revisions if own & {r.span, *r.reopened} or _stem(r.span) == block.id]


def _stem(span_id: str) -> str:
    """The block of a quotation's span: "c1" of "c1.4" and of "c1~2.4"."""
    return span_id.rpartition(".")[0].partition("~")[0]


def _told(revision: Revision) -> str:
    old, new = change(revision)
    return f"{between(old, new)} <em>({escape(WHY.get(revision.reason, revision.reason))}, version {revision.version})</em>"
