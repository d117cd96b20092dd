"""The article in a web page, without what stands around it, by trafilatura; what the page says of itself, see `about`."""

from __future__ import annotations

from dataclasses import dataclass

from ..http import Page
from ..outcomes import Failed
from .about import published, title
from .html_page import parsed, without_hidden
from .work import one_line

MAX_BYTES = 5_000_000  # the finder of main text takes seconds for a megabyte of table


@dataclass(frozen=True)
class Article:
    """An article as Markdown ("" where none could be told from the page around it), and what is known of it."""

    text: str
    title: str = ""
    authors: tuple[str, ...] = ()
    date: str | None = None


def article(page: Page) -> Article:
    """The article of a page. Failed when the page breaks the parser."""
    import trafilatura
    from lxml.etree import LxmlError  # type: ignore[import-untyped]

    if len(page.body) > MAX_BYTES:
        return Article("")
    body = without_hidden(page)
    try:
        text = trafilatura.extract(
            body, url=page.url, output_format="markdown", include_comments=False, include_tables=True
        )
        metadata = trafilatura.extract_metadata(body, default_url=page.url)
    except (LxmlError, ValueError, TypeError, AttributeError, RecursionError, AssertionError) as exc:
        raise Failed(f"{page.url} is broken HTML ({type(exc).__name__}).", cause="unreadable", where=page.url) from exc
    names = tuple(filter(None, (one_line(name) for name in (metadata.author or "").split(";")))) if metadata else ()
    tree = parsed(page)
    shown = title(tree, page.url, metadata.title if metadata else "")
    return Article(text or "", shown, names, published(tree, body, page.url, page.fetched, shown))
