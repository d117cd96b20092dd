"""Documents to passages: verbatim slices of whole sentences, none across a heading."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from .types import Document, Passage

MAX_WORDS = 110
MAX_CHARACTERS = 900

_HEADING = re.compile(r"#{1,6}[ \t]+\S")
# A line that begins something of its own: a heading, a list item, a table row, a quotation.
_OWN_LINE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+•][ \t]|\d{1,3}[.)][ \t]|\||>)")
_LINE_ENDS_ITSELF = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\|)")
# sentencex parts these from the figure or the name that follows.
_BEFORE_FIGURE = re.compile(
    r"(?:^|[\s(\[])(?:Eqs?|Figs?|Refs?|Secs?|Sect|Tabs?|Nos?|Vols?|Chs?|Chap|App|pp?|ca|approx|cf|vs|al|viz|resp)\.$"
)


class Span(NamedTuple):
    """text[start:end]; offsets count characters."""

    start: int
    end: int


def sentences(text: str) -> list[tuple[int, int]]:
    """Offsets of the sentences of `text`, in order, without surrounding blanks; none is empty.

    Blank lines, headings, list items and table rows part sentences as well as full stops do.
    """
    return [(start, end) for block in _blocks(text) for start, end in _block_sentences(text, block)]


def passages(document: Document, *, max_words: int = MAX_WORDS, max_characters: int = MAX_CHARACTERS) -> list[Passage]:
    """The document cut into passages of whole sentences, in order; passage.text == document.text[start:end].

    A heading opens a passage and stays with the text below it. A sentence over the limits is cut at a blank.
    """
    text, source = document.text, document.source
    spans = _pack(text, _units(text, max_words, max_characters), max_words, max_characters)
    told = [s for s in sentences(text) if not _is_heading(text, Span(*s))]
    return [
        Passage(
            id=f"{source.id}-{start}",
            text=text[start:end],
            source=source,
            start=start,
            end=end,
            sentences=tuple((a, b) for a, b in told if start <= a and b <= end),
        )
        for start, end in spans
    ]


def _blocks(text: str) -> Iterator[Span]:
    """Runs of lines that no sentence crosses."""
    start = position = 0
    previous = ""
    for line in text.splitlines(keepends=True):
        if not line.strip() or _OWN_LINE.match(line) or _LINE_ENDS_ITSELF.match(previous):
            yield from _trimmed(text, start, position)
            start = position
        position += len(line)
        previous = line
    yield from _trimmed(text, start, position)


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        start += len(piece) - len(piece.lstrip())
        yield Span(start, start + len(stripped))


def _block_sentences(text: str, block: Span) -> list[Span]:
    if _is_heading(text, block):
        return [block]
    return _rejoin(text, [span for start, end in _split(text, block) for span in _trimmed(text, start, end)])


def _split(text: str, block: Span) -> list[Span]:
    import sentencex

    found = sentencex.get_sentence_boundaries("en", text[block.start : block.end])
    return [Span(block.start + piece["start_index"], block.start + piece["end_index"]) for piece in found]


def _rejoin(text: str, spans: list[Span]) -> list[Span]:
    """Undo cuts after "Eq." or "Fig." and cuts before a piece that holds no word, such as a closing bracket."""
    joined: list[Span] = []
    for span in spans:
        if joined and _belongs_together(text[joined[-1].start : joined[-1].end], text[span.start : span.end]):
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


def _belongs_together(before: str, after: str) -> bool:
    if not any(map(str.isalnum, after)):
        return True
    return bool(_BEFORE_FIGURE.search(before[-12:])) and (after[0] in "([0123456789" or after[0].islower())


def _is_heading(text: str, span: Span) -> bool:
    return bool(_HEADING.match(text, span.start)) and "\n" not in text[span.start : span.end]


def _units(text: str, max_words: int, max_characters: int) -> Iterator[Span]:
    for start, end in sentences(text):
        yield from _hard_split(text, Span(start, end), max_words, max_characters)


def _hard_split(text: str, span: Span, max_words: int, max_characters: int) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        end = _reach(text, Span(start, span.end), max_words, max_characters)
        yield from _trimmed(text, start, end)
        start = end


def _reach(text: str, span: Span, max_words: int, max_characters: int) -> int:
    """How far a piece that begins at span.start may go: to the last blank within both limits, if there is one."""
    if _fits(text, span, max_words, max_characters):
        return span.end
    window = text[span.start : span.start + max_characters]
    ends = [match.end() for match in re.finditer(r"\S+", window)]
    if len(ends) > max_words:
        return span.start + ends[max_words - 1]
    blank = max((match.end() for match in re.finditer(r"\s", window)), default=0)
    return span.start + (blank or len(window))


def _fits(text: str, span: Span, max_words: int, max_characters: int) -> bool:
    return span.end - span.start <= max_characters and len(text[span.start : span.end].split()) <= max_words


def _pack(text: str, units: Iterator[Span], max_words: int, max_characters: int) -> Iterator[Span]:
    open_span: Span | None = None
    has_body = False  # a heading may follow a heading in one passage, but not text
    for unit in units:
        is_heading = _is_heading(text, unit)
        longer = Span(open_span.start, unit.end) if open_span else unit
        closes = (is_heading and has_body) or not _fits(text, longer, max_words, max_characters)
        if open_span and closes:
            yield open_span
            longer, has_body = unit, False
        open_span = longer
        has_body = has_body or not is_heading
    if open_span:
        yield open_span
