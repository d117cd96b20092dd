"""HTML to blocks: headings, paragraphs, numbered items, tables, definition lists; also of what a library turns into HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import Any

from ..types import BlockKind, RetrievalError
from .encoding import decode
from .limits import Limits
from .structure import Dated, Extracted, TooMuch, Writer, broken, one_line, raised
from .tables import write_tables

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    (
        "p div section article main header footer aside address blockquote figure details summary form fieldset legend center "
        "td th tr body figcaption caption dt dd li ul ol dl table tbody thead tfoot pre hr hgroup search dialog label option"
    ).split()
)
_UNSEEN = frozenset(
    (
        "script style template head iframe object svg canvas audio video nav button select datalist rt rp map link meta title "
        "noembed noscript"
    ).split()
)
_STRUCK = frozenset({"s", "strike", "del"})
_HIDING_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all")
_STRIKING_STYLE = re.compile(r"text-decoration[^;]*line-through")
_ASKS_CONSENT = re.compile(r"cookie|consent|gdpr|onetrust|cmp-|didomi|truste|usercentrics|sp_message", re.IGNORECASE)
_NAVIGATES = frozenset({"navigation", "banner", "search", "menu", "menubar", "dialog", "alertdialog", "toolbar"})
_MOST_CONSENT_LETTERS = 3_000  # a block of more is the page itself, whatever its class says
_BACK = " \n↑↩︎^"  # what leads from a note back to its mark
_DEEPEST = 2_000
_LINKS = 0.75  # a list or box of which this share of letters are links leads elsewhere
LABEL = re.compile("\\s*\ue000(\\d)\\|([^\ue001]*)\ue001\\s*")  # how docx.py hands on a level and a printed number


def load_html(data: bytes, name: str, limits: Limits) -> Extracted:
    return read_html(data, name, limits=limits)


def read_html(
    data: bytes, name: str, url: str | None = None, *, limits: Limits | None = None, charset: str = ""
) -> Extracted:
    """The text of a page as blocks, with what its metadata say. `charset` is what the server said.

    Raises RetrievalError, naming `name`.
    """
    decoded = decode(data, name, charset or _declared_charset(data))
    writer = Writer(limits or Limits())
    root = parse(decoded.text, name)
    if _depth_is_reached(root):
        _fill_flat(writer, decoded.text)
    else:
        fill(writer, root)
    found = _metadata(root)
    if found.url == "" and url:
        found = replace(found, url=url)
    done = writer.finish()
    return replace(
        found, text=done.text, blocks=done.blocks, media_type="text/html", unread=(*decoded.unread, *done.unread)
    )


def parse(text: str, name: str) -> Any:
    """The element tree of a page, however broken."""
    from lxml import etree, html  # type: ignore[import-untyped]

    # Some pages announce an encoding that they are no longer in: the text is decoded already.
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        root = html.document_fromstring(text.encode("utf-8") or b" ", parser=parser)
    except (etree.LxmlError, ValueError, AssertionError) as exc:
        if not text.strip("\ufeff \n\t") or "empty" in str(exc).lower():
            raise RetrievalError(f"{name} holds no text; leave it out or give a file with words in it.") from exc
        raise broken(name, "broken HTML", "save the page again", exc) from exc
    return root


def _depth_is_reached(root: Any) -> bool:
    """The parser gives up at its greatest depth, and what lies below it is lost."""
    deepest, element = 0, root
    while element is not None and deepest < _DEEPEST:  # down the last children: the part that the parser read last
        deepest, element = deepest + 1, element[-1] if len(element) else None
    return deepest >= _DEEPEST


def _fill_flat(writer: Writer, text: str) -> None:
    """All words of a page without its structure."""

    class Words(HTMLParser):
        def handle_data(self, data: str) -> None:
            if data.strip():
                writer.add("paragraph", data)

    writer.say("It is nested too deeply; its words were read without its structure")
    try:
        words = Words()
        words.feed(text)
        words.close()
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")


def fill(writer: Writer, root: Any, *, is_page: bool = True, **more: Any) -> None:
    """Write the blocks below `root`. A page has navigation and banners, a converted document has not."""
    walk = _Walk(writer, more, is_page)
    try:
        walk.through(root)
        walk.flush()
    except TooMuch as limit:
        writer.say(f"Not all of it is read: {limit}")
    if walk.num_struck:
        writer.say(f"Struck-out or deleted text left out ({walk.num_struck})")
    if walk.num_hidden:
        writer.say(f"Hidden text left out ({walk.num_hidden})")


@dataclass
class _List:
    is_ordered: bool
    style: str = "1"
    step: int = 1
    number: int = 1


@dataclass
class _Walk:
    """One pass over a tree, without recursion: a page may be nested as deeply as it likes."""

    writer: Writer
    more: dict[str, Any]
    is_page: bool
    kind: BlockKind = "paragraph"
    level: int = 0
    label: str = ""
    term: str = ""
    is_defined: bool = False  # the term has a definition; the next one is another
    num_struck: int = 0
    num_hidden: int = 0
    parts: list[str] = field(default_factory=list)
    lists: list[_List] = field(default_factory=list)

    def through(self, root: Any) -> None:
        stack: list[tuple[Any, bool]] = [(root, False)]
        while stack:
            element, is_left = stack.pop()
            if is_left:
                self.leave(element)
                self.parts.append(element.tail or "")
            elif self.enter(element):
                self.parts.append(element.text or "")
                stack.append((element, True))
                stack.extend((child, False) for child in reversed(element))
            else:
                self.parts.append(element.tail or "")

    def enter(self, element: Any) -> bool:
        """Whether to go inside; what is not gone into is done with, or left out."""
        tag = element.tag if isinstance(element.tag, str) else ""
        if not tag or (tag in _UNSEEN and not (tag == "select" and self._chosen(element))):
            self._keep_script_text(element, tag)
            return False
        if tag in _STRUCK or _STRIKING_STYLE.search(element.get("style") or ""):
            self.num_struck += bool(one_line("".join(element.itertext())))
            return False
        if _is_hidden(element):
            self.num_hidden += bool(one_line("".join(element.itertext())))
            return False
        if self.is_page and _is_aside(element, tag):
            return False
        if tag == "table" and not _is_layout(element):
            self._table(element)
            return False
        if tag in ("sup", "input", "img", "math"):
            return self._inline(element, tag)
        if tag == "pre":
            self._code(element)
            return False
        if tag in _HEADINGS or tag in _BLOCKS:
            self._begin(element, tag)
        elif tag == "br":
            self.parts.append("\n")
        return True

    def leave(self, element: Any) -> None:
        tag = element.tag
        if tag in ("ul", "ol") and self.lists:
            self.flush()
            self.lists.pop()
        elif tag == "dd":
            self._definition()
        elif tag == "dt":
            self.term = f"{'' if self.is_defined else self.term}, {self._taken()}".strip(", ")
            self.is_defined = False
        elif tag in _HEADINGS or tag in _BLOCKS:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered as one block."""
        text = self._taken()
        if not text.strip():
            return
        label, kind, level = self.label, self.kind, max(1, len(self.lists))
        if found := LABEL.match(text):
            level, label, text = int(found.group(1)), found.group(2), text[found.end() :]
            kind = "item" if kind == "paragraph" else kind
        if kind == "heading":
            self.writer.heading(f"{label} {text}", self.level, label=label, **self.more)
        elif kind == "note":
            self.writer.add("note", f"{label} {text.rstrip(_BACK)}", label=label, **self.more)
        elif kind == "item":
            self.writer.item(text, label, level, **self.more)
        elif self.lists:  # a further paragraph of an item
            self.writer.add("paragraph", text, **self.more)
        else:
            for line in text.split("\n\n"):
                self.writer.add(kind, line, **self.more)
        self.kind, self.label = "paragraph", ""

    def _taken(self) -> str:
        text = "".join(self.parts)
        self.parts.clear()
        return text

    def _begin(self, element: Any, tag: str) -> None:
        if tag == "dd":
            if not self.term:
                self.flush()
            self.parts.clear() if not one_line("".join(self.parts)) else None
            return
        self.flush()
        if tag in _HEADINGS:
            self.kind, self.level, self.label = "heading", _HEADINGS[tag], ""
        elif tag in ("ul", "ol"):
            self.lists.append(_list(element, tag == "ol"))
        elif tag == "li" and re.match(r"(?:footnote|endnote|fn)-?\d", element.get("id") or ""):
            self.kind, self.label = "note", f"[{self._number(element).rstrip('.')}]"
        elif tag == "li":
            self.kind, self.label = "item", self._number(element)
        elif tag in ("figcaption", "caption"):
            self.kind = "caption"
        elif tag in ("p", "div", "blockquote", "td") and self.kind not in ("item", "note"):
            self.kind, self.label = "paragraph", ""

    def _number(self, element: Any) -> str:
        """The number of an item as a browser prints it."""
        if not self.lists or not self.lists[-1].is_ordered:
            return ""
        current = self.lists[-1]
        value = element.get("value") or ""
        current.number = int(value) if re.fullmatch(r"-?\d{1,9}", value) else current.number
        label = f"{in_style(current.number, current.style)}."
        current.number += current.step
        return label

    def _definition(self) -> None:
        text = self._taken()
        self.is_defined = True
        if self.term and len(self.term) <= 200:
            self.writer.field(self.term, text, **self.more)
        else:
            self.writer.add("paragraph", f"{self.term} {text}", **self.more)
        # A second definition of one term repeats it: each stands for itself.

    def _code(self, element: Any) -> None:
        self.flush()
        self.writer.add("code", "".join(element.itertext()), **self.more)

    def _table(self, table: Any) -> None:
        self.flush()
        caption = table.find("caption")
        if caption is not None:
            self.writer.add("caption", cell_text(caption), **self.more)
        grid, header_rows = grid_of(table)
        write_tables(self.writer, grid, header_rows=header_rows, **self.more)

    def _inline(self, element: Any, tag: str) -> bool:
        if tag == "sup":
            self.parts.append(_raised(self.parts, element))
        elif tag == "input":
            self.parts.append(_input(element))
        elif tag == "math":
            self.parts.append(element.get("alttext") or one_line("".join(element.itertext())))
        return False

    def _chosen(self, select: Any) -> bool:
        self.parts.extend(f" {one_line(cell_text(o))} " for o in select.iter("option") if o.get("selected") is not None)
        return False

    def _keep_script_text(self, element: Any, tag: str) -> None:
        """MathJax keeps formulas in scripts."""
        if tag == "script" and (element.get("type") or "").startswith("math/tex"):
            self.parts.append(f" {element.text or ''} ")


def _list(element: Any, is_ordered: bool) -> _List:
    start = element.get("start") or ""
    step = -1 if element.get("reversed") is not None else 1
    first = int(start) if re.fullmatch(r"-?\d{1,9}", start) else (1 if step > 0 else len(element.findall("li")))
    return _List(is_ordered, element.get("type") or "1", step, first)


def in_style(number: int, style: str) -> str:
    """A list's number: "1", "a", "A", "i" or "I"."""
    if style in ("a", "A") and 0 < number < 18_000:
        letters, rest = "", number
        while rest:
            rest, place = divmod(rest - 1, 26)
            letters = chr(97 + place) + letters
        return letters.upper() if style == "A" else letters
    if style in ("i", "I") and 0 < number < 4_000:
        roman = _roman(number)
        return roman if style == "I" else roman.lower()
    return str(number)


def _roman(number: int) -> str:
    values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
    signs = ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I")
    written = ""
    for value, sign in zip(values, signs, strict=True):
        count, number = divmod(number, value)
        written += sign * count
    return written


# What is not read


def _is_hidden(element: Any) -> bool:
    return element.get("hidden") is not None or bool(_HIDING_STYLE.search(element.get("style") or ""))


def _is_aside(element: Any, tag: str) -> bool:
    """Navigation, consent banners and boxes of links: no part of what the page says."""
    if tag in ("html", "body", "main", "article"):
        return False
    if (element.get("role") or "").lower() in _NAVIGATES:
        return True
    marks = f"{element.get('id') or ''} {element.get('class') or ''}"
    if tag in ("div", "section", "aside", "form", "footer", "header", "dialog", "p", "span") and _ASKS_CONSENT.search(
        marks
    ):
        text = one_line("".join(element.itertext()))
        return len(text) <= _MOST_CONSENT_LETTERS and not _holds_most(element, text)
    return tag in ("ul", "ol", "div", "footer", "header", "aside") and _is_all_links(element)


def _holds_most(element: Any, text: str) -> bool:
    """The page says less outside of it than inside: then it is the page."""
    body = element.getroottree().find("body")
    whole = one_line("".join(body.itertext())) if body is not None else text
    return len(whole) - len(text) < 0.1 * len(text) and element.find(".//h1") is not None


def _is_all_links(element: Any) -> bool:
    links = element.findall(".//a")
    if not 3 <= len(links) <= 400 or element.find(".//p") is not None or element.find(".//table") is not None:
        return False
    linked = sum(len(one_line("".join(link.itertext()))) for link in links if (link.get("href") or "#")[:1] != "#")
    return linked >= _LINKS * max(1, len(one_line("".join(element.itertext()))))


# Tables


def _is_layout(table: Any) -> bool:
    """A table that only places things on the page: tables or headings within, or a single cell."""
    if table.get("role") == "presentation" or table.find(".//table") is not None:
        return True
    if table.find(".//h1") is not None or table.find(".//h2") is not None:
        return True
    return len(table.findall(".//td")) + len(table.findall(".//th")) <= 1


def grid_of(table: Any) -> tuple[list[list[str]], int | None]:
    """Cells as rows of texts, spans filled, and how many rows are marked as the header (None: not marked)."""
    rows = [row for row in table.iter("tr") if not _is_hidden(row)]
    grid: list[list[str]] = []
    down: dict[int, tuple[int, str]] = {}  # column: rows still covered from above, text
    num_header, is_above = 0, True
    for row in rows:
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        written: list[str] = []
        for cell in cells:
            _fill_down(written, down)
            text, wide, high = cell_text(cell), _span(cell, "colspan"), _span(cell, "rowspan")
            for _ in range(wide):
                if high > 1:
                    down[len(written)] = (high - 1, text)
                written.append(text)
        _fill_down(written, down)
        grid.append(written)
        is_above = is_above and _is_header_row(row, cells)
        num_header += is_above
    if rows and all(_begins_with_label(row) for row in rows):
        return grid, 0
    return grid, num_header if 0 < num_header < len(grid) else None


def _begins_with_label(row: Any) -> bool:
    """<th> and then <td>: a label and what it names."""
    return len(row) > 1 and [cell.tag for cell in row][:2] == ["th", "td"]


def _is_header_row(row: Any, cells: list[Any]) -> bool:
    parent = row.getparent()
    if parent is not None and parent.tag == "thead":
        return True
    return len(cells) > 1 and all(cell.tag == "th" or not one_line("".join(cell.itertext())) for cell in cells)


def _fill_down(written: list[str], down: dict[int, tuple[int, str]]) -> None:
    while len(written) in down:
        column = len(written)
        left, text = down[column]
        written.append(text)
        if left > 1:
            down[column] = (left - 1, text)
        else:
            del down[column]


def _span(cell: Any, name: str) -> int:
    value = cell.get(name) or "1"
    return min(200, int(value)) if value.isdecimal() and value.isascii() and value != "0" else 1


def cell_text(cell: Any) -> str:
    """A cell's words on one line; items of a list in it with commas between."""
    return one_line("".join(_pieces(cell))).replace(" ,", ",").strip(", ")


def _pieces(cell: Any) -> Iterator[str]:
    stack: list[tuple[Any, bool]] = [(cell, False)]
    written: list[str] = []
    while stack:
        element, is_left = stack.pop()
        tag = element.tag if isinstance(element.tag, str) else ""
        if is_left:
            found = ", " if tag == "li" else " " if tag in _BLOCKS else ""
            found += (element.tail or "") if element is not cell else ""
        elif not tag or tag in _UNSEEN or tag in _STRUCK or _is_hidden(element):
            found = element.tail or ""
        elif tag == "sup":
            found = _raised(written, element) + (element.tail or "")
        elif tag == "input":
            found = _input(element) + (element.tail or "")
        else:
            found = (" " if tag == "br" or tag in _BLOCKS else "") + (element.text or "")
            stack.append((element, True))
            stack.extend((child, False) for child in reversed(element))
        written.append(found)
        yield found


def _input(element: Any) -> str:
    kind = (element.get("type") or "text").lower()
    if kind in ("checkbox", "radio"):
        return "☒ " if element.get("checked") is not None else "☐ "
    return f" {element.get('value') or ''} " if kind in ("text", "number", "date", "email", "tel", "url") else ""


def _raised(before: list[str], element: Any) -> str:
    mark = one_line("".join(element.itertext()))
    is_note = element.find(".//a") is not None or not re.fullmatch(r"[-+−]?\d{1,3}|n|st|nd|rd|th|er|e|o|a|®|™|TM", mark)
    last = next((part for part in reversed(before) if part), "")
    if re.fullmatch(r"\d{1,3}", mark) and last[-1:].isspace():
        is_note = True
    return raised(last, mark, is_note) if mark and len(mark) <= 12 else mark


# Metadata


def _declared_charset(data: bytes) -> str:
    found = re.search(rb"""(?:charset|encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.-]{2,30})""", data[:4_096])
    return found.group(1).decode("ascii") if found else ""


_META_DATES = (
    "article:modified_time", "article:published_time", "datemodified", "datepublished", "dcterms.modified", "dcterms.issued",
    "dc.date.modified", "dc.date.issued", "dc.date", "dcterms.date", "dcterms.created", "date", "last-modified", "pubdate",
    "publishdate",

    "citation_publication_date", "citation_date", "og:updated_time",
)  # fmt: skip


def _metadata(root: Any) -> Extracted:
    """What the page's metadata say; nothing is guessed from its text."""
    meta: dict[str, str] = {}
    for element in root.iter("meta"):
        key = (element.get("name") or element.get("property") or element.get("itemprop") or "").lower()
        if key and element.get("content"):
            meta.setdefault(key, one_line(element.get("content")))
    described = _described(root)
    title = (
        meta.get("og:title") or meta.get("citation_title") or _text_of(root, "title") or described.get("headline", "")
    )
    author = meta.get("author") or meta.get("citation_author") or meta.get("dc.creator") or described.get("author", "")
    dates = [meta[key] for key in _META_DATES if key in meta]
    dates += [described[key] for key in ("dateModified", "datePublished") if key in described]
    dates += [
        time.get("datetime") or ""
        for time in root.iter("time")
        if time.get("pubdate") is not None or time.get("itemprop")
    ]
    canonical = next(
        (link.get("href") or "" for link in root.iter("link") if (link.get("rel") or "").lower() == "canonical"), ""
    )
    return Extracted(
        "",
        title=title,
        authors=names(author),
        dates=tuple(Dated(date, "metadata") for date in dates[:3]),
        url=canonical if canonical.startswith(("https://", "http://")) else "",
        language=root.get("lang") or "",
    )


def _text_of(root: Any, tag: str) -> str:
    found = root.find(f".//{tag}")
    return one_line("".join(found.itertext())) if found is not None else ""


def _described(root: Any) -> dict[str, str]:
    """Title, author and dates of the first JSON-LD article of the page."""
    for script in root.iter("script"):
        if "ld+json" not in (script.get("type") or "") or len(script.text or "") > 200_000:
            continue
        try:
            found = json.loads(script.text or "null")
        except (ValueError, RecursionError):
            continue
        graph = found.get("@graph", [found]) if isinstance(found, dict) else found
        for node in graph if isinstance(graph, list) else []:
            if isinstance(node, dict) and ("datePublished" in node or "headline" in node):
                author = node.get("author")
                author = author[0] if isinstance(author, list) and author else author
                author = author.get("name", "") if isinstance(author, dict) else author
                kept = {
                    key: node[key]
                    for key in ("headline", "datePublished", "dateModified")
                    if isinstance(node.get(key), str)
                }
                return kept | ({"author": author} if isinstance(author, str) else {})
    return {}


def names(text: str) -> tuple[str, ...]:
    """ "A. Smith, B. Jones and C. Wu" as three names."""
    text = one_line(text).strip("[]")
    parts = text.split(";") if ";" in text else re.split(r",| and | & | und | et | y ", text)
    return tuple(name for name in (part.strip(" \"'") for part in parts) if name)
