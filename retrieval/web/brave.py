"""Brave's search of the web, by key. Its terms forbid keeping results, so none is cached."""

from __future__ import annotations

from datetime import date
from typing import Literal

from ..http import Page, Rate
from ..outcomes import Failed, Limited, Refused
from .searxng import page
from .service import Body, Filters, Service, parsed
from .work import Work


class Result(Body):
    url: str
    title: str = ""
    description: str | None = None
    page_age: str | None = None


class Results(Body):
    results: tuple[Result, ...]


class Listing(Body):
    """`web` is left out where no page was found; the type is what tells such an answer from another service's."""

    type: Literal["search"]
    web: Results = Results(results=())


class Detail(Body):
    code: str = ""


class Problem(Body):
    error: Detail


class Brave(Service):
    name = "brave"
    kind = "web"
    hosts = ("api.search.brave.com",)
    rate = Rate(1.1)
    key = "BRAVE_API_KEY"
    needs_key = True

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        self.usable()
        answer = self.ask(
            f"{self.base or 'https://api.search.brave.com'}/res/v1/web/search",
            {
                "q": " ".join(query.split()[:50])[:400],
                "count": min(filters.limit, 20),
                "text_decorations": 0,
                "freshness": f"{filters.since}-01-01to{date.today().isoformat()}" if filters.since else None,
            },
            accept=("application/json",),
            secret=(("x-subscription-token", self.keys[self.key]),),
            answers=(400, 422, 429),
            keep=0.0,
        )
        if answer.status >= 400:
            raise _problem(answer)
        found = parsed(Listing, answer.body, self.name).web.results
        return tuple(page(self.name, r.url, r.title, r.description, r.page_age) for r in found)

    def work(self, identifier: str) -> Work:
        return page(self.name, identifier, "", "", None)


def _problem(answer: Page) -> Refused | Limited | Failed:
    code = parsed(Problem, answer.body, "brave").error.code
    if code == "SUBSCRIPTION_TOKEN_INVALID" or answer.status == 422:
        return Refused("brave does not accept the key.", cause="key", where="brave")
    if code in ("QUOTA_LIMITED", "OPTION_NOT_IN_PLAN"):
        return Refused(f"brave's plan does not allow this ({code}).", cause="budget", where="brave")
    if answer.status == 429:
        return Limited("brave asks for patience.", cause="rate", where="brave")
    return Failed(f"brave did not take the request ({code}).", cause="status", where="brave")
