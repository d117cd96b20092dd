"""arXiv: preprints of physics, mathematics and computing. Atom only; one request in three seconds over one connection, no retry."""

from __future__ import annotations

from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from ..http import Rate
from ..outcomes import Failed, changed
from .service import Filters, Service
from .words import terms
from .work import Location, Work, doi_of, one_line

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"


class Arxiv(Service):
    name = "arxiv"
    hosts = ("export.arxiv.org", "arxiv.org")
    rate = Rate(3.0)
    attempts = 1  # it answers 429 below its own limits; asking again makes it worse

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        wanted = expression(query)
        if filters.since:
            wanted += f" AND submittedDate:[{filters.since}01010000 TO 299912312359]"
        return self._ask({"search_query": wanted, "max_results": filters.limit, "sortBy": "relevance"})

    def work(self, identifier: str) -> Work:
        found = self._ask({"id_list": identifier, "max_results": 1})
        if not found:
            raise Failed(f"arxiv does not know {identifier}.", cause="missing", where=identifier)
        return found[0]

    def _ask(self, parameters: dict[str, Any]) -> tuple[Work, ...]:
        page = self.ask(
            f"{self.base or 'https://export.arxiv.org'}/api/query",
            parameters,
            accept=("application/atom+xml", "application/xml", "text/xml"),
            answers=(400,),
            seconds=min(self.seconds, 12.0),
        )
        try:
            return parse(page.body)
        except Failed:
            self.door.forget(page.asked)
            raise


def expression(query: str) -> str:
    """All phrases, and any of the words, in arXiv's query language."""
    phrases, words = terms(query)
    parts = [f'all:"{phrase}"' for phrase in phrases]
    if words:
        parts.append("(" + " OR ".join(f"all:{word}" for word in words) + ")")
    return " AND ".join(parts)


def parse(body: bytes) -> tuple[Work, ...]:
    """Works of a feed. Errors come dressed as a feed with one entry titled Error, at times with status 200."""
    try:
        feed = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError as exc:
        raise changed("arxiv", "the beginning", "it is no XML") from exc
    if feed is None or feed.tag != f"{ATOM}feed" or feed.find(TOTAL) is None:
        raise changed("arxiv", "feed", "it is no Atom feed with a totalResults")
    entries = feed.findall(f"{ATOM}entry")
    for entry in entries:
        if "/api/errors" in _text(entry, "id"):
            raise Failed(f"arxiv did not take the query: {_text(entry, 'summary')}.", cause="status", where="arxiv")
    total = one_line(feed.findtext(TOTAL))
    start = one_line(feed.findtext(TOTAL.replace("totalResults", "startIndex")) or "0")
    if not entries and total.isdecimal() and start.isdecimal() and int(total) > int(start):
        raise changed("arxiv", "feed.entry", f"it promises {total} entries and holds none")
    return tuple(_work(entry) for entry in entries)


def _work(entry: Any) -> Work:
    place = _text(entry, "id")
    if "/abs/" not in place or not _text(entry, "title"):
        raise changed("arxiv", "entry.id", "it names no paper")
    versioned = place.partition("/abs/")[2]
    bare, _, version = versioned.rpartition("v")
    number = bare if bare and version.isdigit() else versioned
    summary, comment = _text(entry, "summary"), one_line(entry.findtext(f"{ARXIV}comment"))
    return Work(
        service="arxiv",
        id=number,
        arxiv=number,
        title=_text(entry, "title"),
        url=f"https://arxiv.org/abs/{versioned}",
        authors=tuple(one_line(name.text) for name in entry.iterfind(f"{ATOM}author/{ATOM}name")),
        date=_text(entry, "published")[:10] or None,
        venue=one_line(entry.findtext(f"{ARXIV}journal_ref")) or "arXiv",
        same_as=tuple(filter(None, (doi_of(entry.findtext(f"{ARXIV}doi")),))),
        version="preprint",
        revision=f"v{version}" if number == bare else "",
        abstract=summary,
        retracted="retracted" if "withdrawn" in f"{comment} {summary[:200]}".casefold() else "",
        locations=(
            Location(url=f"https://arxiv.org/html/{versioned}", media="html", version="preprint"),
            Location(url=f"https://arxiv.org/pdf/{versioned}", media="pdf", version="preprint"),
        ),
    )


def _text(entry: Any, name: str) -> str:
    return one_line(entry.findtext(ATOM + name))
