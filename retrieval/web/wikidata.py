"""Wikidata: what a name stands for, other names of it, and its dates. It settles names; it is asked for no prose."""

from __future__ import annotations

from typing import Any

from ..http import Rate
from ..outcomes import Failed
from .service import Body, Filters, Service
from .work import Work

DATES = {"P569": "Born", "P570": "Died", "P571": "Founded", "P576": "Dissolved", "P577": "Published", "P585": "On"}
PRECISION = {9: 4, 10: 7, 11: 10}  # Wikidata's precision of a date to the letters of it that are known


class Found(Body):
    id: str
    label: str = ""
    description: str = ""


class Listing(Body):
    search: tuple[Found, ...]


class Entities(Body):
    entities: dict[str, dict[str, Any]]


class Wikidata(Service):
    name = "wikidata"
    kind = "name"
    hosts = ("www.wikidata.org",)
    rate = Rate(0.35)

    def search(self, query: str, filters: Filters) -> tuple[Work, ...]:
        parameters = {"action": "wbsearchentities", "search": query, "language": "en", "limit": min(filters.limit, 10)}
        listing = self.json(Listing, self._api, {**parameters, "format": "json", "type": "item"})
        return tuple(_named(found) for found in listing.search)

    def work(self, identifier: str) -> Work:
        parameters = {"action": "wbgetentities", "ids": identifier, "props": "labels|descriptions|aliases|claims"}
        found = self.json(Entities, self._api, {**parameters, "languages": "en", "format": "json"})
        entity = found.entities.get(identifier, {})
        if not entity.get("labels"):
            raise Failed(f"wikidata does not know {identifier}.", cause="missing", where=identifier)
        label, description = _value(entity, "labels"), _value(entity, "descriptions")
        named = _named(Found(id=identifier, label=label, description=description))
        return named.model_copy(update={"text": _text(label, description, entity)})

    @property
    def _api(self) -> str:
        return f"{self.base or 'https://www.wikidata.org'}/w/api.php"


def _named(found: Found) -> Work:
    return Work(
        service="wikidata",
        id=found.id,
        title=found.label or found.id,
        url=f"https://www.wikidata.org/wiki/{found.id}",
        kind="name",
        venue="Wikidata",
        publisher="Wikimedia Foundation",
        licence="CC0 1.0",
        snippet=found.description,
    )


def _value(entity: dict[str, Any], name: str) -> str:
    return str(entity.get(name, {}).get("en", {}).get("value", ""))


def _text(label: str, description: str, entity: dict[str, Any]) -> str:
    """A few plain sentences: what it is, its other names, its dates with the precision they have."""
    lines = [f"# {label}", f"{label}: {description}." if description else ""]
    others = [str(alias.get("value", "")) for alias in entity.get("aliases", {}).get("en", ())]
    if others:
        lines.append(f"Also called: {'; '.join(others)}.")
    for claim, word in DATES.items():
        dates = [date for statement in entity.get("claims", {}).get(claim, ()) if (date := _date(statement))]
        if dates:
            lines.append(f"{word}: {' or '.join(dict.fromkeys(dates))}.")
    return "\n\n".join(filter(None, lines))


def _date(statement: dict[str, Any]) -> str:
    value = statement.get("mainsnak", {}).get("datavalue", {}).get("value", {})
    time, letters = str(value.get("time", "")), PRECISION.get(value.get("precision"), 0)
    if statement.get("rank") == "deprecated" or not time.startswith("+"):
        return ""
    return time.removeprefix("+")[:letters]
