"""Documents to passages: verbatim slices of whole sentences or whole rows, none across a heading, none with one in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from .types import Block, BlockKind, Cell, Document, Passage

MAX_WORDS = 110
MAX_CHARACTERS = 900
MAX_ROW_CHARACTERS = 4 * MAX_CHARACTERS  # a row is one thing that was said: it is cut, between cells, only beyond this
WINDOW = 8_000  # characters given to the splitter at once: its time is the square of a text without blanks

_HEADING = re.compile(r"(#{1,6})[ \t]+(\S.*)")
_MARK = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]+")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
# A line that begins something of its own: a heading, a list item, a table row, a quotation.
_OWN_LINE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+•][ \t]|\d{1,3}[.)][ \t]|\||>)")
_LINE_ENDS_ITSELF = re.compile(r"[ \t]*(?:#{1,6}[ \t]|\|)")
# sentencex parts these from the figure or the name that follows.
_BEFORE_FIGURE = re.compile(
    r"(?:^|[\s(\[])(?:Eqs?|Figs?|Refs?|Secs?|Sect|Tabs?|Nos?|Vols?|Chs?|Chap|App|pp?|ca|approx|cf|vs|al|viz|resp)\.$"
)
# "3,2 Mio. EUR": a scale is no end of a sentence where a currency or a small letter follows.
_AFTER_SCALE = re.compile(r"\d\s?(?:Mio|Mrd|Mill|Tsd|mln|bn|mn)\.$")


class Span(NamedTuple):
    """text[start:end]; offsets count characters."""

    start: int
    end: int


class Unit(NamedTuple):
    """What no passage cuts in two: a sentence, a row, a form field, a line of code.

    `start` is where its slice begins: with a list item's number, which belongs to no sentence. `section` counts headings.
    """

    start: int
    span: Span
    block: Block
    section: int
    num_words: int
    cells: tuple[Cell, ...] = ()


def sentences(text: str, language: str = "en") -> list[tuple[int, int]]:
    """Offsets of the sentences of a text without known structure, in order, without surrounding blanks; none is empty.

    Blank lines, headings, list items and table rows part sentences as well as full stops do; a heading is none.
    """
    blocks = (block for block in plain_blocks(text) if block.kind != "heading")
    return [span for block in blocks for span in _sentences_of(text, block, language)]


def passages(document: Document, *, max_words: int = MAX_WORDS, max_characters: int = MAX_CHARACTERS) -> list[Passage]:
    """The document cut into passages, in order; passage.text == document.text[start:end].

    A passage stays within one section and holds prose (paragraphs, items, captions), or rows of one table, or fields,
    notes or code. Headings are its `path`; only a heading with nothing under it is a passage of its own, without
    sentences. A sentence over the limits is cut at a blank, a row over MAX_ROW_CHARACTERS between two cells.
    """
    text, language = document.text, document.source.language or "en"
    blocks = sorted(document.blocks or plain_blocks(text), key=lambda block: block.start)
    units = _units(text, blocks, language, max_words, max_characters)
    packed = _pack(units, max_words, max_characters)
    return _linked([(alike[0].section, _passage(document, alike)) for alike in packed])


def plain_blocks(text: str) -> list[Block]:
    """The blocks of a text by its lines: Markdown headings and their paths, list items, table rows, code, paragraphs."""
    found: list[Block] = []
    open_headings: list[tuple[int, str]] = []
    for span, is_code in _runs(text):
        kind, level, label, name = ("code", 0, "", "") if is_code else _kind(text, span)
        if kind == "heading":
            open_headings = [(above, title) for above, title in open_headings if above < level]
        path = tuple(title for _, title in open_headings)
        found.append(Block(kind=kind, start=span.start, end=span.end, level=level, label=label, path=path))
        open_headings += [(level, name)] if kind == "heading" else []
    return found


# Lines to blocks


def _runs(text: str) -> Iterator[tuple[Span, bool]]:
    """Runs of lines that no sentence crosses, and whether a run is code."""
    start = position = 0
    previous, is_code = "", False
    for line in text.splitlines(keepends=True):
        is_fence = bool(_FENCE.match(line))
        if (is_fence and not is_code) or (not is_code and _begins(line, previous)):
            yield from ((span, False) for span in _trimmed(text, start, position))
            start = position
        position += len(line)
        if is_fence and is_code:
            yield from ((span, True) for span in _trimmed(text, start, position))
            start = position
        is_code ^= is_fence
        previous = "" if is_fence else line
    yield from ((span, is_code) for span in _trimmed(text, start, position))


def _begins(line: str, previous: str) -> bool:
    return not line.strip() or bool(_OWN_LINE.match(line) or _LINE_ENDS_ITSELF.match(previous))


def _kind(text: str, span: Span) -> tuple[BlockKind, int, str, str]:
    """Kind, level, label and heading text of a run of lines."""
    piece = text[span.start : span.end]
    heading = _HEADING.fullmatch(piece)
    if heading:
        return "heading", len(heading[1]), "", heading[2].rstrip("# \t")[:300] or heading[2][:300]
    mark = _MARK.match(piece)
    if mark:
        return "item", 0, mark.group().strip(), ""
    return ("row" if piece.startswith("|") else "paragraph"), 0, "", ""


def _trimmed(text: str, start: int, end: int) -> Iterator[Span]:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        start += len(piece) - len(piece.lstrip())
        yield Span(start, start + len(stripped))


# Blocks to units


def _units(text: str, blocks: Iterable[Block], language: str, max_words: int, max_characters: int) -> Iterator[Unit]:
    """The units of each block that is not a heading, and of headings with nothing under them."""
    section = 0
    for block, following in pairwise([*blocks, None]):
        assert block is not None
        if block.kind == "heading":
            section += 1
            has_body = following is not None and (following.kind != "heading" or following.level > block.level)
            if has_body:
                continue
        spans = _parts(text, block, language, max_words, max_characters)
        for number, span in enumerate(spans):
            start = span.start if number else block.start
            num_words = len(text[start : span.end].split())
            yield Unit(start, span, block, section, num_words, _cells_in(block, span))


def _parts(text: str, block: Block, language: str, max_words: int, max_characters: int) -> list[Span]:
    if block.kind in ("row", "field"):
        return list(_row_parts(text, block))
    whole = _lines(text, block) if block.kind in ("code", "heading") else _sentences_of(text, block, language)
    return [part for span in whole for part in _hard_split(text, span, max_words, max_characters)]


def _row_parts(text: str, block: Block) -> Iterator[Span]:
    """A row whole; one that is too long in pieces that begin at a cell's name and end with a cell."""
    start = block.start
    for cell, following in pairwise(block.cells):
        if following.end - start > MAX_ROW_CHARACTERS:
            yield from _trimmed(text, start, cell.end)
            start = cell.end + len(text[cell.end : block.end]) - len(text[cell.end : block.end].lstrip("; "))
    for span in _trimmed(text, start, block.end):
        yield from _hard_split(text, span, MAX_ROW_CHARACTERS, MAX_ROW_CHARACTERS)


def _cells_in(block: Block, span: Span) -> tuple[Cell, ...]:
    return tuple(cell for cell in block.cells if span.start <= cell.start and cell.end <= span.end)


def _lines(text: str, block: Block) -> list[Span]:
    found, position = [], block.start
    for line in text[block.start : block.end].splitlines(keepends=True):
        found += [Span(position, position + len(line.rstrip()))] if line.strip() else []
        position += len(line)
    return found


def _sentences_of(text: str, block: Block, language: str) -> list[Span]:
    """The sentences of a block; a list item's number or mark belongs to none."""
    if block.kind in ("row", "field", "code"):
        return [Span(block.start, block.end)]
    has_label = bool(block.label) and text.startswith(block.label, block.start)
    start = block.start + len(block.label) * has_label
    whole = next(_trimmed(text, start, block.end), Span(block.start, block.end))
    return _rejoin(text, [span for piece in _split(text, whole, language) for span in _trimmed(text, *piece)])


def _split(text: str, whole: Span, language: str) -> Iterator[Span]:
    """What the splitter says, asked a window at a time; the last sentence of a window is asked about again."""
    start = whole.start
    while start < whole.end:
        end = min(start + WINDOW, whole.end)
        found = [Span(start + first, start + last) for first, last in _boundaries(text[start:end], language)]
        if end < whole.end and len(found) > 1:
            found.pop()
        yield from found
        start = found[-1].end


def _boundaries(text: str, language: str) -> list[tuple[int, int]]:
    import sentencex

    found = sentencex.get_sentence_boundaries(language, text)
    return [(piece["start_index"], piece["end_index"]) for piece in found] or [(0, len(text))]


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
    if _AFTER_SCALE.search(before[-12:]):
        return after[0] in "€$£¥" or after[:3].isupper() or after[0].islower()
    return bool(_BEFORE_FIGURE.search(before[-12:])) and (after[0] in "([0123456789" or after[0].islower())


def _hard_split(text: str, span: Span, max_words: int, max_characters: int) -> Iterator[Span]:
    start = span.start
    while start < span.end:
        end = _reach(text, Span(start, span.end), max_words, max_characters)
        yield from _trimmed(text, start, end)
        start = end


def _reach(text: str, span: Span, max_words: int, max_characters: int) -> int:
    """How far a piece that begins at span.start may go: to the last blank within both limits, if there is one."""
    window = text[span.start : min(span.end, span.start + max_characters)]
    ends = [match.end() for match in re.finditer(r"\S+", window)]
    if len(ends) > max_words:
        return span.start + ends[max_words - 1]
    if span.end - span.start <= max_characters:
        return span.end
    blank = max((match.end() for match in re.finditer(r"\s", window)), default=0)
    return span.start + (blank or len(window))


# Units to passages


def _pack(units: Iterable[Unit], max_words: int, max_characters: int) -> Iterator[list[Unit]]:
    packed: list[Unit] = []
    num_words = 0
    for unit in units:
        num_words += unit.num_words
        fits = num_words <= max_words and packed and unit.span.end - packed[0].start <= max_characters
        if packed and not (fits and _are_alike(packed[0], unit)):
            yield packed
            packed, num_words = [], unit.num_words
        packed.append(unit)
    if packed:
        yield packed


def _are_alike(one: Unit, other: Unit) -> bool:
    return one.section == other.section and _family(one.block) == _family(other.block)


def _family(block: Block) -> tuple[str, int | None, tuple[str, ...]]:
    """What may share a passage."""
    kind = "prose" if block.kind in ("paragraph", "item", "caption") else block.kind
    return kind, block.table, block.path


def _passage(document: Document, units: list[Unit]) -> Passage:
    first, source = units[0], document.source
    start, end = first.start, units[-1].span.end
    kinds = {unit.block.kind for unit in units}
    return Passage(
        id=f"{source.id}-{start}",
        text=document.text[start:end],
        source=source,
        start=start,
        end=end,
        path=first.block.path,
        sentences=() if first.block.kind == "heading" else tuple((u.span.start, u.span.end) for u in units),
        page=first.block.page,
        kind=first.block.kind if len(kinds) == 1 else "paragraph",
        cells=tuple(cell for unit in units for cell in unit.cells),
        table=first.block.table,
    )


def _linked(found: list[tuple[int, Passage]]) -> list[Passage]:
    """Each passage with the ids of its neighbours in the same section."""
    linked = []
    for number, (section, passage) in enumerate(found):
        before = found[number - 1] if number else None
        after = found[number + 1] if number + 1 < len(found) else None
        place = {
            "before": before[1].id if before and before[0] == section else None,
            "after": after[1].id if after and after[0] == section else None,
        }
        linked.append(passage.model_copy(update=place))
    return linked
