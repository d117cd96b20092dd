"""Wikipedia in any language: articles as text with their tables, by revision. Its users must say who they are."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import model_validator

from ..http import Rate
from ..outcomes import Failed, Limited, Refused
from .markup import markdown
from .service import Body, Filters, Service
from .work import Work, one_line, plain

LICENCE = "CC BY-SA 4.0"


class ApiError(Body):
    code: str = ""
    info: str = ""


class Answer(Body):
    """Errors come with status 200 and an `error` in place of what was asked for."""

    error: ApiError | None = None


class Hit(Body):
    title: str
    pageid: int
    snippet: str = ""


class Hits(Body):
    search: tuple[Hit, ...]


class Found(Answer):
    query: Hits | None = None

    @model_validator(mode="after")
    def _either(self) -> Found:
        if self.query is None and self.error is None:
            raise ValueError("neither a query nor an error")
        return self


class Property(Body):
    name: str = ""


class Parsed(Body):
    title: str
    pageid: int
    revid: int
    text: str
    properties: dict[str, Any] | tuple[Property, ...] = ()


class Article(Answer):
    parse: Parsed | None = None

    @model_validator(mode="after")
    def _either(self) -> Article:
        if self.parse is None and self.error is None:
            raise ValueError("neither a parse nor an error")
        return self


class Wikipedia(Service):
    name = "wikipedia"
    kind = "encyclopaedia"
    hosts = ("en.wikipedia.org",)
    rate = Rate(0.35)

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        parameters = {"action": "query", "list": "search", "srsearch": query, "srlimit": min(filters.limit, 20)}
        found = self._ask(Found, parameters)
        assert found.query is not None, "an answer without a query has an error, which was raised"
        return tuple(self._hit(hit) for hit in found.query.search)

    def work(self, identifier: str) -> Work:
        """An article by its title. A page that lists meanings of a name is Refused: it is no evidence."""
        wanted = {"action": "parse", "page": identifier, "prop": "text|properties|revid", "redirects": 1}
        article = self._ask(Article, {**wanted, "disableeditsection": 1, "disabletoc": 1}).parse
        assert article is not None, "an answer without a parse has an error, which was raised"
        if _is_disambiguation(article):
            raise Refused(
                f"wikipedia's {article.title!r} lists what the name may mean; ask for one of them.",
                cause="ambiguous",
                where=self._url(article.title),
            )
        hit = Hit(title=article.title, pageid=article.pageid)
        return self._hit(hit).model_copy(update={"revision": str(article.revid), "text": markdown(article.text)})

    def _ask(self, shape: type[Any], parameters: dict[str, Any]) -> Any:
        common = {"format": "json", "formatversion": 2, "maxlag": 5}
        base = self.base or f"https://{self.hosts[0]}"
        answer = self.json(shape, f"{base}/w/api.php", {**parameters, **common})
        if answer.error is not None:
            raise _error(answer.error)
        return answer

    def _hit(self, hit: Hit) -> Work:
        return Work(
            service=self.name,
            id=hit.title,
            title=hit.title,
            url=self._url(hit.title),
            kind="encyclopaedia",
            venue="Wikipedia",
            publisher="Wikimedia Foundation",
            licence=LICENCE,
            language=self.hosts[0].partition(".")[0],
            snippet=plain(hit.snippet),
        )

    def _url(self, title: str) -> str:
        return f"https://{self.hosts[0]}/wiki/{quote(title.replace(' ', '_'), safe='/:(),')}"


def _is_disambiguation(article: Parsed) -> bool:
    found = article.properties
    return "disambiguation" in (found if isinstance(found, dict) else {item.name for item in found})


def _error(error: ApiError) -> Failed | Limited:
    where = "https://en.wikipedia.org/w/api.php"
    if error.code in ("maxlag", "ratelimited", "readonly"):
        return Limited(f"wikipedia asks for patience ({error.code}).", cause="rate", where=where)
    if error.code in ("missingtitle", "nosuchpageid"):
        return Failed("wikipedia has no such article.", cause="missing", where=where)
    return Failed(f"wikipedia did not take the request: {one_line(error.info)[:200]}.", cause="status", where=where)
