"""Markup of services (Wikipedia's HTML, JATS articles) as Markdown, which the loaders read with its headings, lists and tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree, html  # type: ignore[import-untyped]

from ..outcomes import Failed, changed
from .work import one_line

DROPPED = frozenset(
    "script style sup.reference noscript figure math annotation ref-list table-wrap-foot object-id fn-group ack".split()
)
_CLASSES = frozenset(
    "reference mw-editsection navbox vertical-navbox sidebar metadata ambox hatnote reflist mw-references-wrap noprint toc "
    "shortdescription mw-empty-elt sistersitebox thumb portalbox mwe-math-element infobox-caption".split()
)
MOST_CELLS = 50_000
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


def markdown(page: str) -> str:
    """A Wikipedia article's HTML: prose, lists and tables, without notes, boxes of links and edit marks."""
    tree = html.fragment_fromstring(page, create_parent="div")
    for node in list(tree.iter()):
        if not isinstance(node.tag, str) or node.tag in DROPPED or _CLASSES & set(node.get("class", "").split()):
            _drop(node)
    return "\n\n".join(piece for piece in _pieces(tree) if piece)


def jats(body: bytes, where: str) -> str:
    """A JATS article's text. Failed when it holds none: a closed article comes as metadata with status 200."""
    try:
        tree = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False))
    except etree.XMLSyntaxError as exc:
        raise changed(where, "the beginning", "it is no XML") from exc
    for node in list(tree.iter()):
        if isinstance(node.tag, str):
            node.tag = etree.QName(node).localname
    article = tree if tree.tag == "article" else tree.find(".//article")
    if article is None:
        raise changed(where, str(tree.tag), "it holds no article")
    text = article.find("body")
    if text is None or not one_line("".join(text.itertext())):
        raise Failed(f"{where} gives the description of the article and not its text.", cause="closed", where=where)
    for node in list(article.iter()):
        if (
            not isinstance(node.tag, str)
            or node.tag in DROPPED
            or (node.tag == "xref" and node.get("ref-type") == "bibr")
        ):
            _drop(node)
    title = (
        one_line("".join(article.find(".//article-title").itertext()))
        if article.find(".//article-title") is not None
        else ""
    )
    abstract = article.find(".//abstract")
    pieces = [f"# {title}" if title else ""]
    if abstract is not None:
        pieces += ["## Abstract", *_pieces(abstract, 3)]
    return "\n\n".join(piece for piece in [*pieces, *_pieces(text, 1)] if piece)


def _drop(node: Any) -> None:
    parent = node.getparent()
    if parent is None:
        return
    before = node.getprevious()
    if node.tail:
        if before is not None:
            before.tail = (before.tail or "") + node.tail
        else:
            parent.text = (parent.text or "") + node.tail
    parent.remove(node)


def _pieces(node: Any, level: int = 2) -> Iterator[str]:
    """Headings, paragraphs, list items and tables below a node, in order."""
    loose = one_line(node.text)
    if loose:
        yield loose
    for child in node:
        tag = child.tag
        if tag in _HEADINGS or tag in ("title", "label"):
            words = _words(child)
            yield f"{'#' * min(_HEADINGS.get(tag, level), 6)} {words}" if words and tag != "label" else ""
        elif tag in ("p", "blockquote", "disp-quote", "pre", "caption", "dd", "dt"):
            yield _words(child)
        elif tag in ("ul", "ol", "list", "dl"):
            yield _list(child)
        elif tag == "table":
            yield _table(child)
        else:
            yield from _pieces(child, level + 1 if tag == "sec" else level)
        loose = one_line(child.tail)
        if loose:
            yield loose


def _words(node: Any) -> str:
    """The words of a node, formulas among them, on one line; a line never begins like a heading or a table by accident."""
    line = one_line("".join(node.itertext()))
    return f"\\{line}" if line[:1] in ("#", "|", ">") else line


def _list(node: Any) -> str:
    items = [child for child in node if child.tag in ("li", "list-item", "dd", "dt")]
    is_numbered = node.tag == "ol" or node.get("list-type") in ("order", "arabic")
    marks = [f"{number}." if is_numbered else "-" for number in range(1, len(items) + 1)]
    return "\n".join(f"{mark} {words}" for mark, item in zip(marks, items, strict=True) if (words := _words(item)))


def _table(node: Any) -> str:
    """A table as Markdown, each spanned cell repeated where it holds."""
    held: dict[tuple[int, int], str] = {}  # by row and column, and of spans no more than a page can mean
    rows = [row for row in node.iter("tr") if next(row.iterancestors("table"), None) is node]
    for number, row in enumerate(rows):
        column = 0
        for cell in (cell for cell in row if cell.tag in ("td", "th")):
            while (number, column) in held:
                column += 1
            for down in range(_span(cell, "rowspan") if len(held) < MOST_CELLS else 1):
                for right in range(_span(cell, "colspan") if len(held) < MOST_CELLS else 1):
                    held[number + down, column + right] = _words(cell).replace("|", "/")
    if not held:
        return ""
    width = 1 + max(column for _, column in held)
    lines = [
        f"| {' | '.join(held.get((number, column), '') for column in range(width))} |" for number in range(len(rows))
    ]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _span(cell: Any, name: str) -> int:
    value = cell.get(name, "1")
    return min(max(int(value), 1), 100) if value.isascii() and value.isdigit() else 1
