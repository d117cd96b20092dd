"""Unpaywall: where a DOI can be read for free. It knows Crossref's DOIs only, and wants an e-mail address."""

from __future__ import annotations

from urllib.parse import quote

from ..http import Rate
from ..outcomes import Refused
from .service import Body, Filters, Service
from .work import Location, Version, Work, doi_of, one_line

_VERSIONS: dict[str, Version] = {
    "submittedVersion": "preprint",
    "acceptedVersion": "accepted",
    "publishedVersion": "published",
}


class Place(Body):
    url: str | None = None
    url_for_pdf: str | None = None
    url_for_landing_page: str | None = None
    license: str | None = None
    version: str | None = None


class Record(Body):
    doi: str
    title: str | None = None
    is_oa: bool
    published_date: str | None = None
    year: int | None = None
    journal_name: str | None = None
    publisher: str | None = None
    oa_locations: tuple[Place, ...]


class Unpaywall(Service):
    name = "unpaywall"
    hosts = ("api.unpaywall.org",)
    rate = Rate(0.2)

    def usable(self) -> None:
        if "@" not in self.door.border.contact:
            raise Refused(
                "unpaywall was not asked: it needs your e-mail address; set contact (RESEARCH_CONTACT).",
                cause="not configured",
                where=self.name,
            )

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        """The work of a DOI. Unpaywall's search by words is broken; without a DOI there is nothing to ask it."""
        return (self.work(query),) if doi_of(query) else ()

    def work(self, identifier: str) -> Work:
        self.usable()
        base = self.base or "https://api.unpaywall.org"
        place = f"{base}/v2/{quote(doi_of(identifier) or identifier, safe='/')}"
        return _work(self.json(Record, place, {}, private=(("email", self.door.border.contact),)))


def _work(record: Record) -> Work:
    return Work(
        service="unpaywall",
        id=doi_of(record.doi),
        doi=doi_of(record.doi),
        title=one_line(record.title) or "Untitled",
        url=f"https://doi.org/{doi_of(record.doi)}",
        date=record.published_date or (str(record.year) if record.year else None),
        venue=one_line(record.journal_name),
        publisher=one_line(record.publisher),
        locations=tuple(dict.fromkeys(location for place in record.oa_locations for location in _locations(place))),
    )


def _locations(place: Place) -> list[Location]:
    licence = place.license if place.license and place.license != "implied-oa" else ""
    version = _VERSIONS.get(place.version or "", "")
    found = (
        [Location(url=place.url_for_pdf, media="pdf", licence=licence, version=version)] if place.url_for_pdf else []
    )
    landing = place.url_for_landing_page or place.url
    if landing and landing != place.url_for_pdf:
        found.append(Location(url=landing, media="html", licence=licence, version=version))
    return found
