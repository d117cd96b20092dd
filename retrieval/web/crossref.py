"""Crossref: who registered which DOI, with dates, licences, and notices of retraction and correction."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import Field

from ..http import Rate
from .service import Body, Filters, Service
from .words import terms
from .work import Retracted, Work, doi_of, one_line, plain

FIELDS = (
    "DOI,title,author,issued,published,container-title,volume,issue,page,publisher,abstract,type,subtype,language,license,"
    "updated-by,update-to,relation"
)
_MARKS: dict[str, Retracted] = {
    "retraction": "retracted",
    "withdrawal": "retracted",
    "removal": "retracted",
    "partial_retraction": "retracted",
    "expression_of_concern": "concern",
    "correction": "corrected",
    "corrigendum": "corrected",
    "erratum": "corrected",
}
_GRAVITY: tuple[Retracted, ...] = ("retracted", "concern", "corrected", "")


class Person(Body):
    given: str | None = None
    family: str | None = None
    name: str | None = None


class Dated(Body):
    parts: tuple[tuple[int | None, ...], ...] = Field((), alias="date-parts")


class Licence(Body):
    url: str = Field("", alias="URL")
    version: str = Field("", alias="content-version")


class Update(Body):
    doi: str | None = Field(None, alias="DOI")
    type: str = ""


class Related(Body):
    id: str = ""


class Item(Body):
    doi: str = Field(alias="DOI")
    title: tuple[str, ...] = ()
    author: tuple[Person, ...] = ()
    published: Dated | None = None
    issued: Dated | None = None
    container: tuple[str, ...] = Field((), alias="container-title")
    volume: str | None = None
    issue: str | None = None
    page: str | None = None
    publisher: str = ""
    abstract: str | None = None
    type: str | None = None
    subtype: str | None = None
    language: str | None = None
    license: tuple[Licence, ...] = ()
    updated_by: tuple[Update, ...] = Field((), alias="updated-by")
    update_to: tuple[Update, ...] = Field((), alias="update-to")
    relation: dict[str, tuple[Related, ...] | Related] = Field({})


class Items(Body):
    items: tuple[Item, ...]


class Listing(Body):
    message: Items


class Single(Body):
    message: Item


class Crossref(Service):
    name = "crossref"
    hosts = ("api.crossref.org",)
    rate = Rate(1.0)

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        parameters = {
            "query.bibliographic": terms(query).text,
            "filter": f"from-pub-date:{filters.since}" if filters.since else None,
            "rows": filters.limit,
            "select": FIELDS,
        }
        found = self.json(Listing, f"{self._base}/works", parameters, private=self._contact)
        return tuple(work_of(item) for item in found.message.items)

    def work(self, identifier: str) -> Work:
        place = f"{self._base}/works/{quote(doi_of(identifier) or identifier, safe='')}"
        return work_of(self.json(Single, place, {}, private=self._contact).message)

    @property
    def _contact(self) -> tuple[tuple[str, str], ...]:
        contact = self.door.border.contact
        return (("mailto", contact),) if contact else ()

    @property
    def _base(self) -> str:
        return self.base or "https://api.crossref.org"


def work_of(item: Item) -> Work:
    doi = doi_of(item.doi)
    others = [update for update in item.update_to if doi_of(update.doi) != doi]
    licences = [licence.url for licence in item.license if licence.version != "tdm" and licence.url]
    return Work(
        service="crossref",
        id=doi,
        doi=doi,
        title=one_line(plain(next(iter(item.title), ""))) or "Untitled",
        url=f"https://doi.org/{doi}",
        authors=tuple(filter(None, (one_line(p.name or f"{p.given or ''} {p.family or ''}") for p in item.author))),
        date=_date(item.published) or _date(item.issued),
        venue=one_line(next(iter(item.container), "")),
        volume=item.volume or "",
        issue=item.issue or "",
        pages=item.page or "",
        publisher=item.publisher,
        licence=next(iter(licences), ""),
        language=item.language or "",
        version="preprint" if item.type == "posted-content" or item.subtype == "preprint" else "published",
        abstract=plain(item.abstract),
        retracted=standing(item),
        is_notice=bool(others),
        same_as=_versions(item),
    )


def standing(item: Item) -> Retracted:
    """What its own record says became of a work. A notice about another work, or an addendum, says nothing of this one."""
    doi = doi_of(item.doi)
    own = [*item.updated_by, *(update for update in item.update_to if doi_of(update.doi) == doi)]
    marks = {_MARKS.get(update.type.casefold().replace("-", "_").replace(" ", "_"), "") for update in own}
    title = next(iter(item.title), "").casefold()
    if title.startswith(("retracted:", "retracted article:", "withdrawn:")):
        marks.add("retracted")
    return next((mark for mark in _GRAVITY if mark in marks), "")


def _date(dated: Dated | None) -> str | None:
    parts = dated.parts[0] if dated and dated.parts else ()
    numbers = [part for part in parts if part is not None]
    if not numbers or numbers != list(parts):
        return None
    return "-".join([f"{numbers[0]:04}", *(f"{number:02}" for number in numbers[1:3])])


def _versions(item: Item) -> tuple[str, ...]:
    found: list[str] = []
    for name in ("has-preprint", "is-preprint-of", "is-version-of", "has-version"):
        related = item.relation.get(name, ())
        found += [doi_of(other.id) for other in (related if isinstance(related, tuple) else (related,))]
    return tuple(filter(None, found))
