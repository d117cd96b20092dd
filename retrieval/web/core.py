"""CORE: papers and theses of repositories the world over, with an open copy each. Works without a key, ten questions at a time."""

from __future__ import annotations

from urllib.parse import quote

from ..http import Rate
from .service import Body, Filters, Service
from .words import terms
from .work import Location, Work, doi_of, one_line


class Person(Body):
    name: str | None = None


class Journal(Body):
    title: str | None = None


class Language(Body):
    code: str | None = None


class Record(Body):
    id: int | str
    title: str | None = None
    doi: str | None = None
    arxivId: str | None = None
    pubmedId: str | None = None
    authors: tuple[Person, ...] = ()
    abstract: str | None = None
    publishedDate: str | None = None
    yearPublished: int | None = None
    publisher: str | None = None
    journals: tuple[Journal, ...] | None = ()
    language: Language | None = None
    downloadUrl: str | None = None


class Listing(Body):
    totalHits: int
    results: tuple[Record, ...]


class Core(Service):
    name = "core"
    hosts = ("api.core.ac.uk",)
    rate = Rate(2.0)
    key = "CORE_API_KEY"

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        phrases, words = terms(query)
        wanted = " ".join([*(f'"{phrase}"' for phrase in phrases), *words])
        wanted += f" AND yearPublished>={filters.since}" if filters.since else ""
        # The slash at the end matters: without it every question is answered by a redirect first.
        found = self.json(
            Listing, f"{self._base}/search/works/", {"q": wanted, "limit": filters.limit}, secret=self._secret
        )
        return tuple(_work(record) for record in found.results)

    def work(self, identifier: str) -> Work:
        return _work(self.json(Record, f"{self._base}/works/{quote(identifier, safe='')}", {}, secret=self._secret))

    @property
    def _base(self) -> str:
        return f"{self.base or 'https://api.core.ac.uk'}/v3"

    @property
    def _secret(self) -> tuple[tuple[str, str], ...]:
        key = self.keys.get(self.key)
        return (("authorization", f"Bearer {key}"),) if key else ()


def _work(record: Record) -> Work:
    doi, url = doi_of(record.doi), record.downloadUrl or ""
    journal = next((one_line(each.title) for each in record.journals or () if each.title), "")
    return Work(
        service="core",
        id=str(record.id),
        title=one_line(record.title) or "Untitled",
        url=f"https://doi.org/{doi}" if doi else f"https://core.ac.uk/works/{record.id}",
        authors=tuple(one_line(person.name) for person in record.authors if person.name),
        date=(record.publishedDate or "")[:10] or (str(record.yearPublished) if record.yearPublished else None),
        doi=doi,
        arxiv=(record.arxivId or "").partition("v")[0],
        pmid=record.pubmedId or "",
        venue=journal,
        publisher=one_line(record.publisher),
        language=((record.language and record.language.code) or "").lower()[:2],
        abstract=one_line(record.abstract),
        locations=(Location(url=url, media="pdf"),) if url.startswith(("http://", "https://")) else (),
    )
