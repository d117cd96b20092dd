"""The evidence of one span: where its words stand, of when they are, who says the same, who says otherwise, how they were found."""

from __future__ import annotations

from collections.abc import Callable

from palimpsest.agent import standing
from palimpsest.agent.blocks import Passage, Source
from palimpsest.agent.draft import Block, Span, Support
from palimpsest.agent.hypotheses import Hypothesis
from palimpsest.agent.state import ResearchState, Revision
from palimpsest.workflows.rendering.text import WHY, change, marks, title_of

from .diffs import between
from .markup import element, escape, listed, marked, text

AROUND = 500  # letters of a source before and behind the words
ORIGINS = {
    "text": "said in its text",
    "front matter": "from its front matter",
    "metadata": "from its metadata",
    "file stamp": "from the file's own stamp, which proves little",
}
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
    for support in supports[:3]:
        parts.append(_source(state, support, read))
    hypothesis = next((h for h in state.graph.hypotheses if h.id in (span.hypothesis, block.about)), None)
    parts += [_others(state, hypothesis, supports), _against(state, hypothesis), _history(state, block, span)]
    return element("div", "".join(parts), class_="pp-card", id=f"evidence-{span.id}")


def _head(block: Block, span: Span) -> str:
    words = block.text if span.role != "words" or not span.text else span.text
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


def _source(state: ResearchState, support: Support, read: Callable[[Source], str]) -> str:
    passage = next((p for p in state.passages if p.id == support.passage), None)
    if passage is None:
        return "<p>Its source is no longer held.</p>"
    source = passage.source
    above = [heading for heading in passage.path if heading != source.title]
    place = " › ".join(filter(None, (*above, f"page {passage.page}" if passage.page else "")))
    when = (
        f"{escape(source.date)} – {ORIGINS.get(source.date_from, 'the source does not say from where')}"
        if source.date
        else "undated"
    )
    facts = [
        text("b", source.title) + (f" · {escape(place)}" if place else ""),
        f"Date: {when}",
        text("code", source.uri),
        *map(escape, marks(source)),
    ]
    return (
        "<h4>Where it stands</h4>"
        + listed(facts)
        + _context(passage, support, read(source))
        + _row(passage, support)
        + _found(state, passage)
    )


def _context(passage: Passage, support: Support, whole: str) -> str:
    """The words in their surroundings; of a source whose text is gone, in their passage."""
    words, offset = (whole, 0) if whole[support.start : support.end] == support.quote else (passage.text, passage.start)
    start, end = support.start - offset, support.end - offset
    first, last = max(0, start - AROUND), min(len(words), end + AROUND)
    lead, tail = "… " if first else "", " …" if last < len(words) else ""
    body = _kept_lines(words[first:last], start - first, end - first)
    return element(
        "div",
        f"{lead}{body}{tail}",
        class_="pp-context",
        tabindex="0",
        role="group",
        aria_label="The words in their source",
    )


def _kept_lines(words: str, start: int, end: int) -> str:
    """Marked words with their line breaks, which a reader of a list or a poem wants."""
    return "\n".join(_marked_lines(words, start, end))


def _marked_lines(words: str, start: int, end: int) -> list[str]:
    lines, at = [], 0
    for line in words.split("\n"):
        a, b = max(start - at, 0), min(end - at, len(line))
        lines.append(marked(line, a, b) if a < b else escape(line))
        at += len(line) + 1
    return lines


def _row(passage: Passage, support: Support) -> str:
    """The row of a table as a table, the cell with the words marked."""
    cells = [c for c in passage.cells if passage.start <= c.start and c.end <= passage.end]
    near = [c for c in cells if c.start < support.end and support.start < c.end]
    if not near:
        return ""
    rows = "".join(
        f"<tr>{text('th', c.name)}<td>{_cell(passage, c.start, c.end, support)}</td></tr>"
        for c in (cells if len(cells) < 12 else near)
    )
    return f"<h4>The row</h4><table>{rows}</table>"


def _cell(passage: Passage, start: int, end: int, support: Support) -> str:
    words = escape(passage.text[start - passage.start : end - passage.start])
    return f"<mark>{words}</mark>" if start < support.end and support.start < end else words


def _found(state: ResearchState, passage: Passage) -> str:
    asked = {q.text: q.reason for q in state.queries}
    ways = [f for f in state.finds if f.passage == passage.id]
    if not ways:
        return "<h4>How it was found</h4><p>A person brought it.</p>"
    told = [
        f"“{escape(f.query)}”, place {f.rank}: {REASONS.get(asked.get(f.query, ''), 'a query of the run')}"
        for f in ways[:4]
    ]
    return "<h4>How it was found</h4>" + listed(told)


def _others(state: ResearchState, hypothesis: Hypothesis | None, supports: tuple[Support, ...]) -> str:
    if hypothesis is None:
        return ""
    held = {p.id: p for p in state.passages}
    own = {held[s.passage].source.id for s in supports if s.passage in held}
    agreeing = {held[p].source.id: held[p].source for p in standing.supporting(state, hypothesis) if p in held}
    told = [text("span", title_of(s)) for s in agreeing.values() if s.id not in own]
    return "<h4>Who else says it</h4>" + (listed(told) if told else "<p>No other source that was read.</p>")


def _against(state: ResearchState, hypothesis: Hypothesis | None) -> str:
    if hypothesis is None:
        return ""
    held = {p.id: p for p in state.passages}
    told = [
        f"{escape(title_of(held[c.other.passage].source))}: “{escape(c.other.quote)}” – {escape(c.reason)}"
        for c in standing.disputes(state, hypothesis)
        if c.other.passage in held
    ]
    return "<h4>Who contradicts it</h4>" + (listed(told) if told else "<p>Nobody that was read.</p>")


def _history(state: ResearchState, block: Block, span: Span) -> str:
    told = [_told(r) for r in history(state, block, span)]
    return "<h4>What happened to it</h4>" + (listed(told) if told else "<p>It stands as it was first written.</p>")


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
