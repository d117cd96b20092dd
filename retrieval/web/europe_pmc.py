"""Europe PMC: the life sciences, PubMed among them, with whole texts as XML where they are open."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..http import Rate
from ..outcomes import Failed
from .service import Body, Filters, Service
from .words import terms
from .work import EUROPE_PMC, Location, Retracted, Work, doi_of, one_line, plain


class Person(Body):
    fullName: str | None = None
    collectiveName: str | None = None


class People(Body):
    author: tuple[Person, ...] = ()


class Journal(Body):
    title: str | None = None


class JournalInfo(Body):
    journal: Journal = Journal()
    volume: str | None = None
    issue: str | None = None


class Types(Body):
    pubType: tuple[str, ...] | str = ()


class Notice(Body):
    type: str = ""


class Notices(Body):
    commentCorrection: tuple[Notice, ...] = ()


class Result(Body):
    id: str
    source: str
    title: str | None = None
    doi: str | None = None
    pmid: str | None = None
    pmcid: str | None = None
    authorList: People = People()
    firstPublicationDate: str | None = None
    pubYear: str | None = None
    journalInfo: JournalInfo | None = None
    pageInfo: str | None = None
    abstractText: str | None = None
    language: str | None = None
    license: str | None = None
    isOpenAccess: str | None = None
    inEPMC: str | None = None
    pubTypeList: Types = Types()
    commentCorrectionList: Notices = Notices()


class Results(Body):
    result: tuple[Result, ...]


class Listing(Body):
    """A 17-byte `{"version": ...}` with status 200 comes now and then: it is no answer."""

    hitCount: int
    resultList: Results = Field()


class EuropePmc(Service):
    name = "europe_pmc"
    hosts = (EUROPE_PMC,)
    rate = Rate(0.5, 2)

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        phrases, words = terms(query)
        wanted = " ".join([*(f'"{phrase}"' for phrase in phrases), *words])
        if filters.since:
            wanted += f" AND FIRST_PDATE:[{filters.since}-01-01 TO 3000-12-31]"
        return self._ask(wanted, filters.limit)

    def work(self, identifier: str) -> Work:
        field = "DOI" if doi_of(identifier) else "PMCID" if identifier.upper().startswith("PMC") else "EXT_ID"
        found = self._ask(f'{field}:"{identifier}"', 1)
        if not found:
            raise Failed(f"europepmc does not know {identifier}.", cause="missing", where=identifier)
        return found[0]

    def _ask(self, query: str, limit: int) -> tuple[Work, ...]:
        parameters = {"query": query, "resultType": "core", "format": "json", "pageSize": limit, "cursorMark": "*"}
        listing = self.json(Listing, f"{self._base}/search", parameters)
        return tuple(self._work(result) for result in listing.resultList.result)

    @property
    def _base(self) -> str:
        return f"{self.base or 'https://www.ebi.ac.uk'}/europepmc/webservices/rest"

    def _work(self, result: Result) -> Work:
        doi, types = doi_of(result.doi), result.pubTypeList.pubType
        kinds = {kind.casefold() for kind in ((types,) if isinstance(types, str) else types)}
        notices = {notice.type.casefold() for notice in result.commentCorrectionList.commentCorrection}
        is_open = result.pmcid and result.isOpenAccess == "Y"
        journal = result.journalInfo or JournalInfo()
        return Work(
            service="europe_pmc",
            id=result.pmcid or result.pmid or result.id,
            title=plain(result.title).rstrip(".") or "Untitled",
            url=f"https://doi.org/{doi}" if doi else f"https://europepmc.org/article/{result.source}/{result.id}",
            authors=tuple(filter(None, (one_line(p.fullName or p.collectiveName) for p in result.authorList.author))),
            date=result.firstPublicationDate or result.pubYear,
            doi=doi,
            pmid=result.pmid or "",
            pmcid=result.pmcid or "",
            venue=one_line(journal.journal.title),
            volume=journal.volume or "",
            issue=journal.issue or "",
            pages=result.pageInfo or "",
            licence=result.license or "",
            version="preprint" if result.source == "PPR" else "published",
            abstract=plain(result.abstractText),
            locations=(Location(url=f"{self._base}/{result.pmcid}/fullTextXML", media="xml"),) if is_open else (),
            retracted=_standing(kinds, notices),
            is_notice=bool(kinds & {"retraction of publication", "retraction notice", "published erratum"}),
        )


def _standing(kinds: set[str], notices: set[str]) -> Retracted:
    standing: Literal["", "retracted", "concern", "corrected"] = ""
    if "erratum in" in notices or "corrected and republished in" in notices:
        standing = "corrected"
    if "expression of concern in" in notices:
        standing = "concern"
    if "retracted publication" in kinds or "retraction in" in notices:
        standing = "retracted"
    return standing
