"""DOAJ: articles of journals that are open altogether, with abstracts and the address of the whole text."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..http import Rate
from .service import Body, Filters, Service
from .words import terms
from .work import Location, Work, doi_of, one_line, page_range


class Identifier(Body):
    type: str = ""
    id: str = ""


class Link(Body):
    type: str = ""
    url: str = ""
    content_type: str = ""


class Person(Body):
    name: str = ""


class Journal(Body):
    title: str = ""
    publisher: str = ""
    volume: str = ""
    number: str = ""
    language: tuple[str, ...] = ()
    license: tuple[dict[str, Any], ...] = ()


class Record(Body):
    title: str
    identifier: tuple[Identifier, ...] = ()
    link: tuple[Link, ...] = ()
    author: tuple[Person, ...] = ()
    journal: Journal = Journal()
    abstract: str = ""
    start_page: str = ""
    end_page: str = ""
    year: str = ""
    month: str = ""


class Result(Body):
    id: str
    bibjson: Record


class Listing(Body):
    total: int
    results: tuple[Result, ...]


class Doaj(Service):
    name = "doaj"
    hosts = ("doaj.org",)
    rate = Rate(0.6)

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        wanted = terms(query).text + (f" AND bibjson.year:[{filters.since} TO *]" if filters.since else "")
        place = f"{self.base or 'https://doaj.org'}/api/search/articles/{quote(wanted, safe='')}"
        return tuple(_work(result) for result in self.json(Listing, place, {"pageSize": filters.limit}).results)

    def work(self, identifier: str) -> Work:
        return _work(self.json(Result, f"{self.base or 'https://doaj.org'}/api/articles/{quote(identifier)}", {}))


def _work(result: Result) -> Work:
    record = result.bibjson
    doi = doi_of(next((each.id for each in record.identifier if each.type.lower() == "doi"), ""))
    month = f"-{int(record.month):02}" if record.month.isdecimal() and 1 <= int(record.month) <= 12 else ""
    return Work(
        service="doaj",
        id=result.id,
        title=one_line(record.title),
        url=f"https://doi.org/{doi}" if doi else f"https://doaj.org/article/{result.id}",
        authors=tuple(one_line(person.name) for person in record.author if person.name),
        date=f"{record.year}{month}" if record.year.isdigit() else None,
        doi=doi,
        venue=one_line(record.journal.title),
        volume=record.journal.volume,
        issue=record.journal.number,
        pages=page_range(record.start_page, record.end_page),
        publisher=one_line(record.journal.publisher),
        licence=str(next((each.get("type", "") for each in record.journal.license), "")),
        language=next(iter(record.journal.language), "").lower()[:2],
        version="published",
        abstract=one_line(record.abstract),
        locations=tuple(
            Location(url=link.url, media="pdf" if "pdf" in link.content_type.lower() else "html", version="published")
            for link in record.link
            if link.url and link.type.lower() == "fulltext"
        ),
    )
