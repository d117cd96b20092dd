"""A fetched page or XML article taken apart in the process that parses, where one that was made to hang or swell harms nothing else."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..http import Page, saved
from ..loaders import Limits, reading
from ..loaders.worker import WORKER
from ..outcomes import Failed, Limited, Offline, Refused, SourceError
from ..types import Document, RetrievalError
from . import html_page, markup
from .maintext import article
from .works import folded

SECONDS = 12.0  # for one page, the longest
MIN_WORDS = 600  # before the references of a page that is taken for the whole text of a paper
REFERENCES = frozenset(
    "references|reference list|bibliography|literature|literature cited|works cited|literatur|literaturverzeichnis|bibliographie|"
    "references bibliographiques|referencias|bibliografia|参考文献|참고문헌|литература|список литературы".split("|")
)
_ENDINGS: dict[str, type[SourceError]] = {kind.kind: kind for kind in (Refused, Limited, Failed, Offline)}
_LIMITS = Limits()


@dataclass(frozen=True)
class Opened:
    """What a page holds. `pdf` is where it says that its PDF is; `is_closed`: its text is for subscribers.

    `is_abstract`: it shows an abstract and no more.
    """

    document: Document
    pdf: str = ""
    is_closed: bool = False
    is_abstract: bool = False


def opened(page: Page, seconds: float = SECONDS) -> Opened:
    """A page, or an article in XML, read in the worker. SourceError says what it is when it is no article, or cannot be read."""
    with tempfile.TemporaryDirectory(prefix="palimpsest-page-") as folder:
        path = Path(folder, "page")
        kind = page.headers.get("content-type") or page.media_type
        head = {"url": page.url, "content_type": kind, "fetched": page.fetched.isoformat()}
        path.write_bytes(json.dumps(head).encode() + b"\n" + page.body)
        try:
            answer = json.loads(
                WORKER.read(str(path), _LIMITS, page.url, reader=__name__, seconds=min(seconds, SECONDS))
            )
        except RetrievalError as exc:
            reason = str(exc).replace(str(path), page.url)
            raise Failed(f"{page.url} could not be read: {reason}", cause="unreadable", where=page.url) from exc
    if "ending" in answer:
        kind, message, cause, where = answer["ending"]
        raise _ENDINGS[kind](message, cause=cause, where=where)
    return Opened(Document.model_validate(answer.pop("document")), **answer)


def read(path: str, limits: Limits, uri: str | None = None) -> dict[str, Any]:
    """In the worker: a saved page as the fields of `Opened`, or its "ending": kind, message, cause and place of a SourceError."""
    line, _, body = Path(path).read_bytes().partition(b"\n")
    head = json.loads(line)
    page = saved(head["url"], body, head["content_type"], datetime.fromisoformat(head["fetched"]))
    try:
        return (
            _page(page)
            if page.media_type in html_page.HTML
            else {"document": fields_of(markup.jats(body, page.url), page.url)}
        )
    except SourceError as exc:
        return {"ending": [exc.kind, str(exc), exc.cause, exc.where]}


def _page(page: Page) -> dict[str, Any]:
    html_page.check_article(page)
    document = page_document(page)
    return {
        "document": document.model_dump(mode="json"),
        "pdf": html_page.pdf_address(page),
        "is_closed": html_page.is_paywalled(page),
        "is_abstract": is_abstract(page, document),
    }


def is_abstract(page: Page, document: Document) -> bool:
    """Whether a page shows an abstract only: it says so itself, or it is a paper's page and holds too little before its references."""
    return html_page.is_paywalled(page) or (html_page.is_of_a_paper(page) and num_words(document) < MIN_WORDS)


def num_words(document: Document) -> int:
    """The words before the list of references: what stands behind it is long on pages that show no text, too."""
    headings = (block for block in document.blocks if block.kind == "heading")
    names = ((block.start, folded(document.text[block.start : block.end].strip("# "))) for block in headings)
    end = next((start for start, name in names if name in REFERENCES), len(document.text))
    return len(document.text[:end].split())


def page_document(page: Page) -> Document:
    """The main text of a fetched page, with what it says of itself; in this process."""
    found = article(page)
    if not found.text.strip():
        return Document.model_validate(fields_of(html_page.without_hidden(page), page.url, ".html"))
    # The blank line: a page may not write front matter.
    document = Document.model_validate(fields_of(f"\n{found.text}\n", page.url))
    known = {
        "title": found.title or document.source.title,
        "authors": found.authors or document.source.authors,
        "date": found.date,
        "date_from": "metadata" if found.date else "",
        "media_type": "text/html",
    }
    return document.model_copy(update={"source": document.source.model_copy(update=known)})


def fields_of(text: str | bytes, url: str, suffix: str = ".md") -> dict[str, Any]:
    """A document's fields, of a text in a file of its kind."""
    with tempfile.TemporaryDirectory(prefix="palimpsest-page-") as folder:
        path = Path(folder, f"page{suffix}")
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        try:
            return reading.read(str(path), _LIMITS, url)
        except RetrievalError as exc:
            reason = str(exc).replace(str(path), url)
            raise Failed(f"{url} could not be read: {reason}", cause="unreadable", where=url) from exc
