"""Every service, one row each: its name and the class in its file. A new one needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from ..http import Door
from ..types import RetrievalError
from .service import Service
from .work import Kind

SERVICES = {
    "arxiv": "Arxiv",
    "openalex": "OpenAlex",
    "crossref": "Crossref",
    "semantic_scholar": "SemanticScholar",
    "europe_pmc": "EuropePmc",
    "wikipedia": "Wikipedia",
    "wikidata": "Wikidata",
    "doaj": "Doaj",
    "core": "Core",
    "unpaywall": "Unpaywall",
    "searxng": "Searxng",
    "brave": "Brave",
    "tavily": "Tavily",
    "pages": "Pages",
    "folder": "Folder",
}
ALIASES = {
    "semanticscholar": "semantic_scholar",
    "s2": "semantic_scholar",
    "europepmc": "europe_pmc",
    "pubmed": "europe_pmc",
}
KINDS: tuple[Kind, ...] = ("paper", "encyclopaedia", "name", "web")
LOOK_UPS = frozenset(("unpaywall", "pages", "wikidata"))  # asked about what is known already, not searched


@dataclass(frozen=True)
class Chosen:
    """What a person chose: names of services; keys as {variable: value}; addresses of their own services as {name: address}."""

    names: tuple[str, ...]
    keys: Mapping[str, str]
    addresses: Mapping[str, str]


def named(name: str) -> type[Service]:
    """The class of a service. RetrievalError lists the names there are."""
    key, _, language = ALIASES.get(name, name).partition(":")
    if key not in SERVICES or (language and not (key == "wikipedia" and language.isalpha() and language.isascii())):
        names = ", ".join(SERVICES)
        raise RetrievalError(
            f"there is no service {name!r}; there are {names}, or all; wikipedia:de for another language."
        )
    found = getattr(import_module(f"{__package__}.{key}"), SERVICES[key])
    assert issubclass(found, Service), f"{key} is a service"
    if language:
        return type(found.__name__, (found,), {"name": f"{key}:{language}", "hosts": (f"{language}.wikipedia.org",)})
    return found


def choose(text: str, keys: Mapping[str, str], addresses: Mapping[str, str], kind: str | None = None) -> Chosen:
    """The services of `--web`: names with commas between, or "all" for every one that works as things are set."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if "all" in names:
        names = [name for name in SERVICES if _is_set(name, keys, addresses)]
    found = [ALIASES.get(name, name) for name in names if named(name)]
    if kind is not None:
        if kind not in KINDS:
            raise RetrievalError(f"there is no kind of source {kind!r}; there are {', '.join(KINDS)}.")
        found = [name for name in found if named(name).kind == kind]
    return Chosen(tuple(dict.fromkeys(found)), keys, addresses)


def _is_set(name: str, keys: Mapping[str, str], addresses: Mapping[str, str]) -> bool:
    service = named(name)
    if name in ("searxng", "folder"):
        return name in addresses
    return not service.needs_key or bool(keys.get(service.key))


def open_services(chosen: Chosen, door: Door, seconds: float = 15.0) -> list[Service]:
    """The chosen services; none works at one question for longer than `seconds`."""
    addresses = chosen.addresses
    return [named(name)(door, chosen.keys, base=addresses.get(name, ""), seconds=seconds) for name in chosen.names]


def hosts(chosen: Chosen) -> tuple[str, ...]:
    """The hosts that will be asked by name, for the person to see before the first question goes out."""
    fixed = [host for name in chosen.names if name not in chosen.addresses for host in named(name).hosts]
    own = [chosen.addresses[name] for name in chosen.names if name in chosen.addresses]
    return tuple(dict.fromkeys((*fixed, *own)))
