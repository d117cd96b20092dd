"""The article in a web page, without what stands around it, and what the page says of it: by trafilatura and htmldate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..http import Page
from ..outcomes import Failed
from .html_page import parsed, without_hidden
from .work import one_line
from .works import folded

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
    return Article(text or "", _title(page, metadata.title if metadata else ""), names, stated_date(body, page.fetched))


def _title(page: Page, found: str | None) -> str:
    """The title that was found, if the page's own title holds it; else that one: some pages give their site's name."""
    own, found = one_line(parsed(page).findtext(".//title")), one_line(found)
    return found if found and (not own or folded(found) in folded(own)) else own or found


def stated_date(body: bytes, now: datetime) -> str | None:
    """The day that a page says it was first published. A date that only stands somewhere in it is none, nor is one to come."""
    import htmldate

    text = body.decode("utf-8", errors="replace")
    found: Any = htmldate.find_date(text, extensive_search=False, original_date=True)
    return found if found and found <= now.astimezone(UTC).date().isoformat() else None
