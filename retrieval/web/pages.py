"""Plain pages by their addresses."""

from __future__ import annotations

from .service import Filters, Service
from .work import Work


def addresses_in(text: str) -> frozenset[str]:
    """The addresses that stand in a person's words."""
    words = (word.strip("<>()[]\"'.,;") for word in text.split())
    return frozenset(word for word in words if word.startswith(("http://", "https://")))


class Pages(Service):
    """Pages that a person names by address: `search` reads the addresses in a query, or gives nothing."""

    name = "pages"
    kind = "web"
    hosts = ()

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        return tuple(self.work(address) for address in sorted(addresses_in(query)))[: filters.limit]

    def work(self, identifier: str) -> Work:
        return Work(service=self.name, id=identifier, title=identifier, url=identifier, kind="web")
