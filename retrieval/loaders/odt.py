"""OpenDocument text and slides: headings, numbered lists, tables, notes; deleted and hidden text left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..types import RetrievalError
from .archive import opened, xml
from .html import in_style, names
from .limits import Limits
from .structure import Dated, Extracted, TooMuch, Writer, one_line
from .tables import write_tables

_NS = "urn:oasis:names:tc:opendocument:xmlns:"
_TEXT, _TABLE, _OFFICE, _STYLE, _FO, _DRAW = (
    f"{{{_NS}{name}:1.0}}" for name in ("text", "table", "office", "style", "xsl-fo-compatible", "drawing")
)
_UNWRITTEN = frozenset({f"{_TEXT}tracked-changes", f"{_OFFICE}annotation", f"{_TEXT}note", f"{_OFFICE}forms"})
_DEEPEST = 60


def load_odt(data: bytes, name: str, limits: Limits) -> Extracted:
    with opened(data, name, "OpenDocument", limits) as archive:
        content, styles, meta = (xml(archive, part, name) for part in ("content.xml", "styles.xml", "meta.xml"))
        manifest = xml(archive, "META-INF/manifest.xml", name)
    if manifest is not None and any("encryption-data" in str(element.tag) for element in manifest.iter()):
        raise RetrievalError(f"{name} is encrypted; save a copy without a password.")
    if content is None:
        raise RetrievalError(f"{name} is no OpenDocument file; save it again.")
    writer = Writer(limits)
    walk = _Walk(writer, content, styles)
    try:
        for element in styles.iter(f"{_STYLE}header") if styles is not None else ():
            walk.through(element)
        for body in content.iter(f"{_OFFICE}body"):
            walk.through(body)
        for element in styles.iter(f"{_STYLE}footer") if styles is not None else ():
            walk.through(element)
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    walk.say_what_is_missing(content)
    held = _properties(meta)
    done = writer.finish()
    return Extracted(
        done.text, done.blocks, title=held.get("title", ""), authors=names(held.get("creator", "")),
        dates=(Dated(held.get("date", ""), "file stamp"),), media_type="application/vnd.oasis.opendocument.text", unread=done.unread,
    )  # fmt: skip


def _properties(meta: Any) -> dict[str, str]:
    if meta is None:
        return {}
    return {str(e.tag).rsplit("}", 1)[-1]: one_line(e.text or "") for e in meta.iter() if isinstance(e.tag, str)}


class _Walk:
    def __init__(self, writer: Writer, content: Any, styles: Any):
        self.writer = writer
        roots = [root for root in (content, styles) if root is not None]
        self.list_styles = {s.get(f"{_STYLE}name"): s for root in roots for s in root.iter(f"{_TEXT}list-style")}
        self.struck = {
            style.get(f"{_STYLE}name")
            for root in roots
            for style in root.iter(f"{_STYLE}style")
            if any(_is_struck_or_hidden(p) for p in style.iter(f"{_STYLE}text-properties"))
        }
        self.num_struck = 0
        self.num_notes = 0
        self.counts: dict[str, dict[int, int]] = {}  # of list styles, for lists that go on
        self.heading_counts: list[int] = [0] * 11

    def through(self, element: Any, depth: int = 0) -> None:
        for child in element:
            tag = child.tag
            if depth > _DEEPEST or not isinstance(tag, str) or tag in _UNWRITTEN:
                continue
            if tag == f"{_TEXT}h":
                level = int(child.get(f"{_TEXT}outline-level") or 1)
                self.writer.heading(self.words(child), max(1, min(9, level)))
            elif tag == f"{_TEXT}p":
                self.paragraph(child)
            elif tag == f"{_TEXT}list":
                self.list(child, child.get(f"{_TEXT}style-name") or "", 1)
            elif tag == f"{_TABLE}table":
                self.table(child)
            else:
                self.through(child, depth + 1)
        if depth == 0:
            self.notes(element)

    def paragraph(self, element: Any) -> None:
        self.writer.add("paragraph", self.words(element))
        for frame in element.iter(f"{_DRAW}text-box"):
            self.through(frame, 1)

    def words(self, element: Any) -> str:
        return "".join(self._pieces(element, 0))

    def _pieces(self, element: Any, depth: int) -> Iterator[str]:
        yield element.text or ""
        for child in element:
            tag = child.tag
            if not isinstance(tag, str):
                pass
            elif tag in (f"{_TEXT}s", f"{_TEXT}tab", f"{_TEXT}line-break"):
                yield " "
            elif tag == f"{_TEXT}note":
                yield (
                    f"[{one_line(''.join(child.find(f'{_TEXT}note-citation').itertext())) or '*'}]"
                    if child.find(f"{_TEXT}note-citation") is not None
                    else ""
                )
            elif child.get(f"{_TEXT}style-name") in self.struck:
                self.num_struck += bool(one_line("".join(child.itertext())))
            elif tag not in _UNWRITTEN and tag != f"{_DRAW}frame" and depth < _DEEPEST:
                yield from self._pieces(child, depth + 1)
            yield child.tail or ""

    def list(self, element: Any, style: str, level: int) -> None:
        if level > 10:
            return
        style = element.get(f"{_TEXT}style-name") or style
        counts = self.counts.setdefault(style, {})
        if element.get(f"{_TEXT}continue-numbering") != "true" and element.get(f"{_TEXT}continue-list") is None:
            counts.pop(level, None)
        for item in element:
            if item.tag not in (f"{_TEXT}list-item", f"{_TEXT}list-header"):
                continue
            self.item(item, style, level, counts)

    def item(self, item: Any, style: str, level: int, counts: dict[int, int]) -> None:
        label = ""
        if item.tag == f"{_TEXT}list-item":
            start = item.get(f"{_TEXT}start-value")
            label = self.label(style, level, counts, int(start) if start and start.isdecimal() else None)
        for child in item:
            if child.tag == f"{_TEXT}list":
                self.list(child, style, level + 1)
            elif child.tag == f"{_TEXT}h":
                self.writer.heading(f"{label} {self.words(child)}", level, label=label)
                label = ""
            elif child.tag == f"{_TEXT}p":
                self.writer.item(self.words(child), label, level)
                label = ""

    def label(self, style: str, level: int, counts: dict[int, int], start: int | None) -> str:
        held = self.list_styles.get(style)
        numbered = f"{_TEXT}list-level-style-number"
        form = next((s for s in held or () if s.tag == numbered and s.get(f"{_TEXT}level") == str(level)), None)
        if form is None:
            return ""
        first = int(form.get(f"{_TEXT}start-value") or 1)
        counts[level] = start if start is not None else counts.get(level, first - 1) + 1
        shown = int(form.get(f"{_TEXT}display-levels") or 1)
        number = ".".join(str(counts.get(upper, 1)) for upper in range(max(1, level - shown + 1), level))
        own = in_style(counts[level], form.get(f"{_STYLE}num-format") or "1")
        joined = f"{number}.{own}" if number else own
        return f"{form.get(f'{_STYLE}num-prefix') or ''}{joined}{form.get(f'{_STYLE}num-suffix') or ''}".strip()

    def table(self, table: Any) -> None:
        header = table.find(f"{_TABLE}table-header-rows")
        num_header = len(header.findall(f"{_TABLE}table-row")) if header is not None else None
        grid = []
        for row in table.iter(f"{_TABLE}table-row"):
            cells: list[str] = []
            for cell in row:
                if cell.tag in (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell"):
                    repeated = cell.get(f"{_TABLE}number-columns-repeated") or "1"
                    text = " ".join(
                        filter(None, (one_line(self.words(p)) for p in cell.iter(f"{_TEXT}p", f"{_TEXT}h")))
                    )
                    cells += [text] * (min(200, int(repeated)) if repeated.isdecimal() else 1)
            grid.append(cells)
        write_tables(self.writer, grid, header_rows=num_header or None)

    def notes(self, element: Any) -> None:
        for note in element.iter(f"{_TEXT}note"):
            citation, body = note.find(f"{_TEXT}note-citation"), note.find(f"{_TEXT}note-body")
            if body is not None:
                mark = one_line("".join(citation.itertext())) if citation is not None else "*"
                self.writer.add(
                    "note", f"[{mark}] {' '.join(self.words(p) for p in body.iter(f'{_TEXT}p'))}", label=f"[{mark}]"
                )
        for comment in element.iter(f"{_OFFICE}annotation"):
            author = next((e.text for e in comment if str(e.tag).endswith("}creator")), None) or "a reader"
            text = " ".join(self.words(p) for p in comment.iter(f"{_TEXT}p"))
            self.writer.add("note", f"Comment by {author}: {text}" if text.strip() else "", label="comment")

    def say_what_is_missing(self, content: Any) -> None:
        num_deleted = sum(1 for _ in content.iter(f"{_TEXT}deletion"))
        if num_deleted:
            self.writer.say(f"Deleted text (tracked changes) left out ({num_deleted})")
        if self.num_struck:
            self.writer.say(f"Struck-out or hidden text left out ({self.num_struck})")


def _is_struck_or_hidden(properties: Any) -> bool:
    line = properties.get(f"{_STYLE}text-line-through-style") or properties.get(f"{_STYLE}text-line-through-type")
    return line not in (None, "none") or properties.get(f"{_TEXT}display") == "none"
