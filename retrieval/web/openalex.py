"""OpenAlex: 250 million works, their versions and their open copies. Works without a key; a free one allows more."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import Field

from ..http import Rate
from .service import Body, Filters, Service
from .words import terms
from .work import Location, Version, Work, doi_of, one_line, page_range

FIELDS = (
    "id,doi,ids,display_name,title,authorships,publication_date,publication_year,abstract_inverted_index,language,type,"
    "biblio,primary_location,best_oa_location,locations,is_retracted"
)
_VERSIONS: dict[str, Version] = {
    "submittedVersion": "preprint",
    "acceptedVersion": "accepted",
    "publishedVersion": "published",
}


class Place(Body):
    is_oa: bool | None = None
    landing_page_url: str | None = None
    pdf_url: str | None = None
    license: str | None = None
    version: str | None = None
    source: dict[str, Any] | None = None


class Person(Body):
    display_name: str | None = None


class Authorship(Body):
    author: Person
    raw_author_name: str | None = None


class Biblio(Body):
    volume: str | None = None
    issue: str | None = None
    first_page: str | None = None
    last_page: str | None = None


class Item(Body):
    id: str
    title: str | None = None
    display_name: str | None = None
    doi: str | None = None
    ids: dict[str, Any] = Field({})
    authorships: tuple[Authorship, ...] = ()
    publication_date: str | None = None
    publication_year: int | None = None
    abstract_inverted_index: dict[str, tuple[int, ...]] | None = None
    language: str | None = None
    type: str | None = None
    primary_location: Place | None = None
    best_oa_location: Place | None = None
    locations: tuple[Place, ...] = ()
    is_retracted: bool | None = None
    biblio: Biblio | None = None


class Meta(Body):
    count: int


class Listing(Body):
    meta: Meta
    results: tuple[Item, ...]


class OpenAlex(Service):
    name = "openalex"
    hosts = ("api.openalex.org",)
    rate = Rate(0.2, 2)
    key = "OPENALEX_API_KEY"

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        phrases, words = terms(query)
        parameters = {
            "search": " ".join([*(f'"{phrase}"' for phrase in phrases), *words]),
            "filter": f"from_publication_date:{filters.since}-01-01" if filters.since else None,
            "per_page": min(filters.limit, 100),
            "select": FIELDS,
        }
        found = self.json(Listing, f"{self._base}/works", parameters, secret=self._secret)
        return tuple(_work(item) for item in found.results)

    def work(self, identifier: str) -> Work:
        place = f"doi:{quote(identifier, safe='/:')}" if doi_of(identifier) else identifier
        return _work(self.json(Item, f"{self._base}/works/{place}", {}, secret=self._secret))

    @property
    def _base(self) -> str:
        return self.base or "https://api.openalex.org"

    @property
    def _secret(self) -> tuple[tuple[str, str], ...]:
        key = self.keys.get(self.key)
        return (("authorization", f"Bearer {key}"),) if key else ()


def _work(item: Item) -> Work:
    places = [place for place in (item.best_oa_location, *item.locations) if place and place.is_oa]
    first = item.primary_location or Place()
    source = first.source or {}
    ids = {name: str(value) for name, value in item.ids.items()}
    return Work(
        service="openalex",
        id=item.id.rpartition("/")[2],
        title=one_line(item.display_name or item.title) or "Untitled",
        url=item.doi or first.landing_page_url or item.id,
        authors=tuple(filter(None, (one_line(a.author.display_name or a.raw_author_name) for a in item.authorships))),
        date=item.publication_date or (str(item.publication_year) if item.publication_year else None),
        doi=doi_of(item.doi),
        arxiv=_arxiv_of(item),
        pmid=ids.get("pmid", "").rpartition("/")[2],
        pmcid=ids.get("pmcid", "").rpartition("/")[2],
        venue=one_line(str(source.get("display_name") or "")),
        volume=(item.biblio and item.biblio.volume) or "",
        issue=(item.biblio and item.biblio.issue) or "",
        pages=page_range(item.biblio.first_page, item.biblio.last_page) if item.biblio else "",
        publisher=one_line(str(source.get("host_organization_name") or "")),
        licence=next((place.license for place in places if place.license), ""),
        language=item.language or "",
        version="preprint" if item.type == "preprint" else _VERSIONS.get(first.version or "", ""),
        abstract=from_inverted(item.abstract_inverted_index),
        locations=tuple(dict.fromkeys(location for place in places for location in _locations(place))),
        retracted="retracted" if item.is_retracted else "",
    )


def _locations(place: Place) -> list[Location]:
    common = {"licence": place.license or "", "version": _VERSIONS.get(place.version or "", "")}
    found = [Location(url=place.pdf_url, media="pdf", **common)] if place.pdf_url else []
    if place.landing_page_url:
        found.append(Location(url=place.landing_page_url, media="html", **common))
    return found


def _arxiv_of(item: Item) -> str:
    for place in item.locations:
        for url in filter(None, (place.landing_page_url, place.pdf_url)):
            if "//arxiv.org/" in url:
                number = url.rpartition("/abs/")[2] if "/abs/" in url else url.rpartition("/pdf/")[2]
                return number.removesuffix(".pdf").partition("v")[0]
    doi = doi_of(item.doi)
    return doi.removeprefix("10.48550/arxiv.") if doi.startswith("10.48550/arxiv.") else ""


def from_inverted(index: dict[str, tuple[int, ...]] | None) -> str:
    """An abstract from the places of its words."""
    placed = sorted((place, word) for word, places in (index or {}).items() for place in places)
    return " ".join(word for _, word in placed)
