"""The shape of a service, and what is asked of one (`Filters`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from ..http import Ask, Door, Page, Rate
from ..outcomes import Failed, Refused, SourceError, changed
from ..types import Document, Frozen
from .fulltext import read
from .work import Kind, Work

Shape = TypeVar("Shape", bound="Body")


class Filters(Frozen):
    """What is wanted of a search: so many works, none older than the year `since`."""

    limit: int = 10
    since: int | None = None


class Body(BaseModel):
    """What an answer must hold. More is ignored; less, or something else, is an answer of an unknown shape."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Service:
    """A place to ask. `hosts` are what the person is told will be asked; `keys` hold what the environment gave.

    A service needs one file with such a class and one row in `services.SERVICES`.
    """

    name: ClassVar[str]
    kind: ClassVar[Kind] = "paper"
    hosts: ClassVar[tuple[str, ...]]
    rate: ClassVar[Rate] = Rate(1.0)
    key: ClassVar[str] = ""  # the environment variable of its key
    needs_key: ClassVar[bool] = False
    attempts: ClassVar[int] = 2

    def __init__(self, door: Door, keys: Mapping[str, str], *, base: str = "", seconds: float = 15.0):
        self.door, self.keys, self.base, self.seconds = door, keys, base, seconds

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        """Works for a query, best first; () is a true "nothing found". Raises SourceError for every other ending."""
        raise NotImplementedError

    def work(self, identifier: str) -> Work:
        """What the service says of one work."""
        raise NotImplementedError

    def fetch(self, identifier: str) -> Document:
        """The text of one work, whole where it is open; an abstract is marked as one."""
        return read(self.door, self.work(identifier)).document

    def usable(self) -> None:
        """Refused when the service cannot be asked as things are set."""
        if self.needs_key and not self.keys.get(self.key):
            raise Refused(f"{self.name} was not asked: it needs {self.key}.", cause="not configured", where=self.name)

    def ask(self, url: str, parameters: Mapping[str, Any], **how: Any) -> Page:
        """An answer of the service, by its own rate and within its time."""
        query = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
        asked = Ask(
            f"{url}?{query}" if query else url,
            **{"rate": self.rate, "seconds": self.seconds, "attempts": self.attempts, "own": bool(self.base), **how},
        )
        return self.door.get(asked)

    def json(self, shape: type[Shape], url: str, parameters: Mapping[str, Any], **how: Any) -> Shape:
        """A JSON answer of a known shape. One of another shape is asked for once more, past the cache, and then is Failed."""
        try:
            return self._shaped(shape, self.ask(url, parameters, **{"accept": JSON, **how}))
        except Failed as exc:
            if exc.cause != "changed":
                raise
        return self._shaped(shape, self.ask(url, parameters, **{"accept": JSON, **how, "fresh": True}))

    def _shaped(self, shape: type[Shape], page: Page) -> Shape:
        try:
            return parsed(shape, page.body, self.name)
        except SourceError:
            self.door.forget(page.asked)
            raise


JSON = ("application/json", "application/vnd.api+json", "text/json")


def parsed(shape: type[Shape], body: bytes, service: str) -> Shape:
    """A JSON body as `shape`; Failed with cause "changed" says where it is otherwise."""
    try:
        return shape.model_validate_json(body)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the beginning"
        raise changed(service, place, str(first["msg"])) from exc
