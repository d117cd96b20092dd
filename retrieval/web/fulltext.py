"""The text of a work: from every open place in turn, through the loaders; else its abstract, marked as one."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..http import Ask, Door, Page, Rate
from ..http.address import follow
from ..http.address import read as read_address
from ..loaders import Limits
from ..loaders.worker import WORKER
from ..outcomes import Failed, Refused, SourceError
from ..types import Document, Failure, RetrievalError
from . import html_page
from .opening import MIN_WORDS, Opened, fields_of, num_words, opened
from .work import EUROPE_PMC, Location, Work
from .works import locations, versions

FEW = 300_000  # letters
LOADING = 30.0  # seconds for one file, waiting for others included
PLACES = 5  # tried for one work
ARXIV = Rate(3.0)
MEDIA = {
    "html": (*html_page.HTML, "application/pdf"),
    "xml": ("application/xml", "text/xml"),
    "pdf": ("application/pdf", "application/octet-stream", "text/html"),
    "": (*html_page.HTML, "application/xml", "text/xml", "application/pdf"),
}


FILES = {  # what a person's address may lead to besides a page, and the ending under which the loaders know it
    "application/pdf": ".pdf",
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/csv": ".csv",
    "application/json": ".json",
    "application/epub+zip": ".epub",
    "application/vnd.oasis.opendocument.text": ".odt",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
}


@dataclass(frozen=True)
class Reading:
    """A document, and what was tried for it in vain."""

    document: Document
    failures: tuple[Failure, ...] = ()


def read(door: Door, work: Work, *, seconds: float = 20.0) -> Reading:
    """A work's text. SourceError when nothing of it can be read, saying what was tried."""
    if work.text:
        return Reading(_signed(_told(work.text, work.url), work, datetime.now(UTC)))
    tried: list[SourceError] = []
    for attempt in _attempts(door, work, seconds):
        if isinstance(attempt, SourceError):
            tried.append(attempt)
        else:
            return Reading(attempt, tuple(error.failure(work.title) for error in tried))
    if work.abstract:
        return Reading(abstract_of(work), tuple(error.failure(work.title) for error in tried))
    if tried:
        raise tried[0]
    raise Refused(f"“{work.title}” has no open copy and no abstract.", cause="paywall", where=work.url)


def fetched(door: Door, url: str, *, seconds: float = 30.0) -> Document:
    """What lies at an address that a person named: a page, or a file of a kind that the loaders know."""
    work = Work(service="pages", id=url, title=url, url=url, kind="web")
    place = Location(url=url)
    page = _got(door, url, (*MEDIA[""], *FILES, "application/octet-stream"), seconds)
    if page.body.startswith(b"%PDF"):
        return _document(page, ".pdf", work, place)
    if page.media_type in (*html_page.HTML, *MEDIA["xml"]):
        return _from_page(door, work, place, page, seconds)
    suffix = FILES.get(page.media_type) or Path(urlsplit(page.url).path).suffix.lower()
    return _document(page, suffix, work, place)


def abstract_of(work: Work) -> Document:
    """The abstract of a work, marked as one."""
    text = f"# {work.title}\n\n{work.abstract}\n"
    return _signed(_told(text, work.url), work, datetime.now(UTC), abstract=True)


def _attempts(door: Door, work: Work, seconds: float) -> Iterator[Document | SourceError]:
    """Each open place read, or why it could not be."""
    places = locations(work) if work.kind == "paper" else (Location(url=work.url, media="html"),)
    deadline = time.monotonic() + seconds
    for place in places[:PLACES]:
        try:
            yield _place(door, work, place, max(deadline - time.monotonic(), 0.0))
        except SourceError as exc:
            yield exc


def _place(door: Door, work: Work, place: Location, seconds: float) -> Document:
    page = _got(door, place.url, MEDIA[place.media], seconds)
    if page.body.startswith(b"%PDF"):
        return _document(page, ".pdf", work, place)
    if place.media == "pdf" and page.media_type not in html_page.HTML:
        raise Failed(f"{place.url} is said to be a PDF and is none.", cause="type", where=place.url)
    return _from_page(door, work, place, page, seconds)


def _from_page(door: Door, work: Work, place: Location, page: Page, seconds: float) -> Document:
    """A page's own text where it is the whole; else the PDF that the page names."""
    found = _opened(door, page, seconds)
    if work.kind == "paper" and found.pdf:
        target = follow(read_address(page.url), found.pdf).url
        other = _got(door, target, MEDIA["pdf"], seconds)
        if other.body.startswith(b"%PDF"):
            return _document(other, ".pdf", work, place)
    if work.kind == "paper" and found.is_closed:
        raise Refused(f"{page.url} shows its text to subscribers only.", cause="paywall", where=page.url)
    document = _signed(found.document, work, page.fetched, place=place)
    if work.kind == "paper" and page.media_type in html_page.HTML and num_words(document) < MIN_WORDS:
        raise Failed(f"{page.url} describes the work and does not hold its text.", cause="closed", where=page.url)
    if found.is_abstract:
        return document.model_copy(update={"source": document.source.model_copy(update={"extent": "abstract"})})
    return document


def _opened(door: Door, page: Page, seconds: float) -> Opened:
    try:
        return opened(page, seconds)
    except SourceError:
        door.forget(page.url)
        door.forget(page.asked)
        raise


def _got(door: Door, url: str, accept: tuple[str, ...], seconds: float) -> Page:
    host = read_address(url).host
    rate = ARXIV if host.endswith("arxiv.org") else html_page.POLITE
    return door.page(Ask(url, accept=accept, robots=host != EUROPE_PMC, rate=rate, seconds=seconds, attempts=2))


def _document(page: Page, suffix: str, work: Work, place: Location) -> Document:
    return _signed(_loaded(page.body, suffix, page.url), work, page.fetched, place=place)


def _told(text: str, url: str) -> Document:
    """Words that a service gave at once, made a document here: they are few, and need not wait for the process that reads files."""
    if len(text) > FEW:
        return _loaded(text.encode(), ".md", url)
    return Document.model_validate(fields_of(text, url))


def _loaded(data: bytes, suffix: str, url: str) -> Document:
    """Bytes through the same loaders as a person's files, by way of a file of their kind."""
    with tempfile.TemporaryDirectory(prefix="palimpsest-page-") as folder:
        path = Path(folder, f"page{suffix}")
        path.write_bytes(data)
        try:
            return Document.model_validate_json(WORKER.read(str(path), Limits(), url, seconds=LOADING))
        except RetrievalError as exc:
            reason = str(exc).replace(str(path), url)
            raise Failed(f"{url} could not be read: {reason}", cause="unreadable", where=url) from exc


def _signed(
    document: Document, work: Work, fetched: datetime, *, place: Location | None = None, abstract: bool = False
) -> Document:
    """A document that says what its service knows of it. Where the service knows nothing, the text's own word stands."""
    source, today = document.source, fetched.date().isoformat()
    stated = work.date if work.date and work.date[:10] <= today else None
    is_page = work.kind == "web"
    version = (place.version if place else "") or work.version or work.revision
    return document.model_copy(
        update={
            "source": source.model_copy(
                update={
                    "title": source.title if is_page and source.title not in ("page", "") else work.title,
                    "authors": work.authors or source.authors,
                    "date": stated or (source.date if is_page or not work.date else None),
                    "date_from": "metadata" if stated else source.date_from,
                    "language": work.language or source.language,
                    "doi": work.doi,
                    "venue": work.venue,
                    "volume": work.volume,
                    "issue": work.issue,
                    "pages": work.pages,
                    "publisher": work.publisher,
                    "licence": (place.licence if place else "") or work.licence,
                    "accessed": today,
                    "version": f"{version} {work.revision}".strip() if version != work.revision else version,
                    "versions": listed if len(listed := versions(work)) > 1 else (),
                    "extent": "abstract" if abstract else "",
                    "retracted": work.retracted,
                }
            )
        }
    )
