"""Semantic Scholar: papers of all fields, abstracts, and open PDFs. Without a key everybody shares one small allowance."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import Field, model_validator

from ..http import Rate
from .service import Body, Filters, Service
from .words import terms
from .work import Location, Work, doi_of, one_line

FIELDS = "title,abstract,authors,year,publicationDate,externalIds,venue,journal,openAccessPdf,url,publicationTypes"


class Person(Body):
    name: str | None = None


class Pdf(Body):
    url: str | None = None
    license: str | None = None


class Journal(Body):
    volume: str | None = None
    pages: str | None = None


class Paper(Body):
    paperId: str | None = None
    title: str | None = None
    abstract: str | None = None
    authors: tuple[Person, ...] | None = ()
    year: int | None = None
    publicationDate: str | None = None
    externalIds: dict[str, str | int] | None = None
    venue: str | None = None
    journal: Journal | None = None
    openAccessPdf: Pdf | None = None
    url: str | None = None


class Listing(Body):
    """Nothing found comes as `{"total": 0}` without data; data may not be missing otherwise."""

    total: int
    data: tuple[Paper, ...] = Field(())

    @model_validator(mode="after")
    def _promised(self) -> Listing:
        if self.total and "data" not in self.model_fields_set:
            raise ValueError(f"a total of {self.total} and no data")
        return self


class SemanticScholar(Service):
    name = "semantic_scholar"
    hosts = ("api.semanticscholar.org",)
    rate = Rate(2.5)
    key = "SEMANTIC_SCHOLAR_API_KEY"
    attempts = 1

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        parameters = {
            "query": terms(query).text,
            "fields": FIELDS,
            "limit": min(filters.limit, 100),
            "year": f"{filters.since}-" if filters.since else None,
        }
        found = self.json(Listing, f"{self._base}/paper/search", parameters, secret=self._secret)
        return tuple(_work(paper) for paper in found.data)

    def work(self, identifier: str) -> Work:
        place = f"DOI:{identifier}" if doi_of(identifier) else identifier
        url = f"{self._base}/paper/{quote(place, safe=':')}"
        return _work(self.json(Paper, url, {"fields": FIELDS}, secret=self._secret))

    @property
    def _base(self) -> str:
        return f"{self.base or 'https://api.semanticscholar.org'}/graph/v1"

    @property
    def _secret(self) -> tuple[tuple[str, str], ...]:
        key = self.keys.get(self.key)
        return (("x-api-key", key),) if key else ()


def _work(paper: Paper) -> Work:
    ids = {name: str(value) for name, value in (paper.externalIds or {}).items()}
    doi = doi_of(ids.get("DOI"))
    pdf = paper.openAccessPdf
    return Work(
        service="semantic_scholar",
        id=paper.paperId or doi,
        title=one_line(paper.title) or "Untitled",
        url=f"https://doi.org/{doi}" if doi else paper.url or f"https://www.semanticscholar.org/paper/{paper.paperId}",
        authors=tuple(one_line(person.name) for person in paper.authors or () if person.name),
        date=paper.publicationDate or (str(paper.year) if paper.year else None),
        doi=doi,
        arxiv=ids.get("ArXiv", ""),
        pmid=ids.get("PubMed", ""),
        pmcid=f"PMC{ids['PubMedCentral']}" if ids.get("PubMedCentral") else "",
        venue=one_line(paper.venue),
        volume=one_line(paper.journal.volume) if paper.journal else "",
        pages=one_line(paper.journal.pages).replace(" ", "") if paper.journal else "",
        licence=(pdf.license or "") if pdf else "",
        abstract=one_line(paper.abstract),
        locations=(Location(url=pdf.url, licence=pdf.license or ""),) if pdf and pdf.url else (),
    )
