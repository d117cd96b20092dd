"""Where words stand in their source: its date and name, the words marked in what surrounds them, the row of a table."""

from __future__ import annotations

from palimpsest.agent.blocks import Passage
from palimpsest.agent.draft import Block, Span, Support
from palimpsest.workflows.rendering.text import marks

from .markup import Stretch, element, escape, listed, marked, text

AROUND = 500  # letters of a source before and behind the words
ORIGINS = {
    "text": "said in its text",
    "front matter": "from its front matter",
    "metadata": "from its metadata",
    "file stamp": "from the file's own stamp, which proves little",
}


def chosen(block: Block, span: Span, supports: tuple[Support, ...]) -> tuple[Support, ...]:
    """The supports of a chosen span; of a piece of a quotation that is no place of its own, of the whole sentence."""
    cited = block.span("citation")
    if block.kind != "quotation" or span.is_place or cited is None or not cited.support:
        return supports
    return cited.support


def sentence(block: Block, support: Support) -> Stretch:
    """The stretch of a source from which a quotation was taken that holds a support; of other words the support alone."""
    cited = block.span("citation") if block.kind == "quotation" else None
    found = (s for s in (cited.support if cited else ()) if s.passage == support.passage)
    held = next((s for s in found if s.start <= support.start and support.end <= s.end), support)
    return held.start, held.end


def shown(passage: Passage, support: Support, around: Stretch, whole: str) -> str:
    """A source with the supporting words marked in it, and the sentence `around` them more lightly; `whole` is its text, or ""."""
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
        "<h4>Where it stands</h4>" + listed(facts) + _context(passage, support, around, whole) + _row(passage, support)
    )


def _context(passage: Passage, support: Support, around: Stretch, whole: str) -> str:
    """The words in their surroundings; of a source whose text is gone, in their passage."""
    is_kept = whole[support.start : support.end] == support.quote
    words, offset = (whole, 0) if is_kept else (passage.text, passage.start)
    first = max(0, around[0] - offset - AROUND)
    last = min(len(words), around[1] - offset + AROUND)
    lead, tail = "… " if first else "", " …" if last < len(words) else ""
    inner, outer = ((a - offset - first, b - offset - first) for a, b in ((support.start, support.end), around))
    return element(
        "div",
        f"{lead}{marked(words[first:last], inner, outer)}{tail}",
        class_="pp-context",
        tabindex="0",
        role="group",
        aria_label="The words in their source",
    )


def _row(passage: Passage, support: Support) -> str:
    """The row of a table as a table, the cell with the words marked."""
    rows = "".join(
        f"<tr>{text('th', name)}<td>{_cell(passage, held, support)}</td></tr>"
        for name, held in row_of(passage, support)
    )
    return f"<h4>The row</h4><table>{rows}</table>" if rows else ""


def row_of(passage: Passage, support: Support) -> list[tuple[str, Stretch]]:
    """The cells, by the name of their column, of the lines of a passage on which the words stand: a row is a line."""
    start, end = support.start - passage.start, support.end - passage.start
    first = passage.text.rfind("\n", 0, max(start, 0)) + 1
    last = passage.text.find("\n", max(end, 0))
    held = (passage.start + first, passage.start + (last if last >= 0 else len(passage.text)))
    return [(c.name, (c.start, c.end)) for c in passage.cells if held[0] <= c.start and c.end <= held[1]]


def _cell(passage: Passage, held: Stretch, support: Support) -> str:
    words = escape(passage.text[held[0] - passage.start : held[1] - passage.start])
    return f"<mark>{words}</mark>" if held[0] < support.end and support.start < held[1] else words
