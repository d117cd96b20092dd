"""A SearXNG of the person's own (its address is theirs to set, and may be local; where its results lead may not)."""

from __future__ import annotations

from ..http import Rate
from ..outcomes import Failed, Refused
from .service import Body, Filters, Service
from .work import Work, one_line, plain


class Result(Body):
    url: str
    title: str = ""
    content: str | None = None
    publishedDate: str | None = None


class Listing(Body):
    results: tuple[Result, ...]
    unresponsive_engines: tuple[tuple[str, str], ...] = ()


class Searxng(Service):
    name = "searxng"
    kind = "web"
    hosts = ()
    rate = Rate(0.5)

    def usable(self) -> None:
        if not self.base:
            raise Refused(
                "searxng was not asked: set its address (RESEARCH_SERVICES=searxng=http://127.0.0.1:8888).",
                cause="not configured",
                where=self.name,
            )

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        """Pages; () only when every engine answered and none knew any."""
        self.usable()
        found = self.json(Listing, f"{self.base.rstrip('/')}/search", {"q": query, "format": "json"}, keep=0.0)
        if not found.results and found.unresponsive_engines:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in found.unresponsive_engines)
            raise Failed(f"searxng's engines all failed ({one_line(reasons)[:300]}).", cause="server", where=self.base)
        return tuple(
            page(self.name, r.url, r.title, r.content, r.publishedDate) for r in found.results[: filters.limit]
        )

    def work(self, identifier: str) -> Work:
        return page(self.name, identifier, "", "", None)


def page(service: str, url: str, title: str, words: str | None, date: str | None) -> Work:
    """A page that a search of the web names: its words are a hint, and the page itself has to be read."""
    return Work(
        service=service,
        id=url,
        title=plain(title) or url,
        url=url,
        kind="web",
        date=(date or "")[:10] or None,
        snippet=plain(words),
    )
