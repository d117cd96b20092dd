"""Tavily's search of the web, by key."""

from __future__ import annotations

import json

from ..http import Rate
from ..outcomes import Failed, Refused
from .searxng import page
from .service import JSON, Body, Filters, Service, parsed
from .work import Work


class Result(Body):
    url: str
    title: str = ""
    content: str | None = None
    published_date: str | None = None


class Listing(Body):
    results: tuple[Result, ...]


class Tavily(Service):
    name = "tavily"
    kind = "web"
    hosts = ("api.tavily.com",)
    rate = Rate(0.7)
    key = "TAVILY_API_KEY"
    needs_key = True

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        self.usable()
        asked = {"query": query[:400], "max_results": min(filters.limit, 20)}
        if filters.since:
            asked["start_date"] = f"{filters.since}-01-01"
        answer = self.ask(
            f"{self.base or 'https://api.tavily.com'}/search",
            {},
            accept=JSON,
            body=json.dumps(asked).encode(),
            headers=(("content-type", "application/json"),),
            secret=(("authorization", f"Bearer {self.keys[self.key]}"),),
            answers=(400, 432, 433),
        )
        if answer.status in (432, 433):
            raise Refused(f"tavily's allowance is used up ({answer.status}).", cause="budget", where=self.name)
        if answer.status >= 400:
            raise Failed(f"tavily did not take the request ({answer.status}).", cause="status", where=self.name)
        found = parsed(Listing, answer.body, self.name).results
        return tuple(page(self.name, r.url, r.title, r.content, r.published_date) for r in found)

    def work(self, identifier: str) -> Work:
        return page(self.name, identifier, "", "", None)
