"""What a run may ask of the web: the door with its border, the services that were chosen, and a person's word on each query."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from palimpsest.retrieval.embed import Embedder
from palimpsest.retrieval.http import Border, Door, Guard
from palimpsest.retrieval.http.address import read
from palimpsest.retrieval.http.door import Reach
from palimpsest.retrieval.loaders import Limits
from palimpsest.retrieval.loaders.worker import WORKER
from palimpsest.retrieval.outcomes import Refused, SourceError
from palimpsest.retrieval.types import Call, Document, Failure, Found, RetrievalError
from palimpsest.retrieval.web import services
from palimpsest.retrieval.web.fulltext import fetched
from palimpsest.retrieval.web.pages import addresses_in
from palimpsest.retrieval.web.rank import Ranker
from palimpsest.retrieval.web.search import Web
from palimpsest.retrieval.web.service import Filters

from .config import Config, default_folder, service_keys
from .errors import USAGE, ResearchError

Approve = Callable[[str], bool]
NEEDS = "needs"  # how the row of a service begins what has to be set before it can be asked
_WORKS = {1: 2, 2: 4, 3: 6, 4: 8, 5: 12}  # read whole for a query, by effort
_ROUND = 40.0  # seconds of a round of searches
_SHARE = 0.25  # of the budget that a round may take
_READING = frozenset(("paper", "web"))  # kinds whose texts lie on hosts that nobody can name beforehand


def chosen(config: Config) -> services.Chosen:
    """The services of a run. ResearchError names one that is not there."""
    try:
        found = services.choose(config.web, service_keys(), config.services, config.type)
    except RetrievalError as error:
        raise ResearchError(str(error), USAGE) from error
    if config.web and not found.names:
        raise ResearchError(f"--web {config.web} with --type {config.type} leaves no service to ask", USAGE)
    if config.web and not (config.docs or config.offline or config.replay):
        needs = {row["name"]: row["needs"] for row in known(config) if row["needs"].startswith(NEEDS)}
        if set(found.names) <= needs.keys():
            said = "; ".join(f"{name} {needs[name]}" for name in found.names)
            raise ResearchError(f"no service can be asked: {said}", USAGE)
    return found


def announcement(config: Config) -> str:
    """What will be asked, in a sentence, before anything is; "" when nothing leaves this machine."""
    if not config.web or config.offline or config.replay:
        return ""
    found = chosen(config)
    hosts = ", ".join(services.hosts(found)) or "no host by name"
    more = "; then hosts that hold open copies or pages that these name" if _reads_pages(found) else ""
    contact = f", with {config.contact} as contact" if config.contact else "; set --contact YOUR@ADDRESS as they wish"
    proxy = f"; through {config.proxy}, which resolves names itself, unchecked" if config.proxy else ""
    return f"will ask {hosts}{more}{contact}{proxy}"


def _reads_pages(found: services.Chosen) -> bool:
    return any(services.named(name).kind in _READING for name in found.names)


def known(config: Config) -> list[dict[str, str]]:
    """A row for each service there is: its name and kind, whom it asks, and what has to be set first."""
    keys, rows = service_keys(), []
    for name in services.SERVICES:
        service = services.named(name)
        asks = config.services.get(name) or ", ".join(service.hosts) or "addresses given to it"
        missing = service.key and not keys.get(service.key)
        needs = f"{NEEDS if service.needs_key else 'better with'} {service.key}" if missing else ""
        if name in ("searxng", "folder") and name not in config.services:
            needs = f"{NEEDS} RESEARCH_SERVICES={name}=ADDRESS"
        if name == "unpaywall" and not config.contact:
            needs = f"{NEEDS} contact (RESEARCH_CONTACT)"
        rows.append({"name": name, "kind": service.kind, "asks": asks, "needs": needs})
    return rows


def open_door(config: Config, found: services.Chosen, cache: Path | None) -> Door:
    """The door of a run: shut when it is offline, else open to what was announced."""
    reach: Reach = "replay" if config.replay else "offline" if config.offline or not config.web else "online"
    own = [address for name, address in found.addresses.items() if "://" in address]
    try:
        origins = frozenset(read(address).origin for address in own)
    except SourceError as error:
        raise ResearchError(f"a service's address cannot be used: {error}", USAGE) from error
    fixed = frozenset(host for name in found.names for host in services.named(name).hosts) | {o[1] for o in origins}
    hosts = None if _reads_pages(found) else fixed
    border = Border(reach, hosts=hosts, contact=config.contact, cache=cache, proxy=config.proxy)
    return Door(border, Guard(operators=origins))


def fetch_evidence(url: str, config: Config) -> Document:
    """What a person named by its address as evidence, fetched through the door. ResearchError says why it is not to be had.

    The address is the permission: `web` need not name a service, and `offline` wins.
    """
    if config.offline and not config.replay:
        raise ResearchError(f"{url} was not fetched: --offline; save the page, and give it as a file", USAGE)
    border = Border(
        "replay" if config.replay else "online", contact=config.contact, cache=cache(config), proxy=config.proxy
    )
    try:
        with Door(border) as door:
            return fetched(door, url)
    except SourceError as error:
        raise ResearchError(f"{url} could not be had as evidence: {error}") from error


def cache(config: Config) -> Path:
    """The folder of what was fetched, beside that of the indexes."""
    return (config.index or default_folder()).parent / "web"


class WebSearch:
    """Queries to services, documents to passages. Opened once a run; what was fetched is kept for its next rounds."""

    def __init__(
        self, config: Config, door: Door, embedder: Embedder, approve: Approve | None = None, question: str = ""
    ):
        self.config, self.door, self.approve = config, door, approve
        found = services.open_services(chosen(config), door, min(self._round() / 2, 15.0))
        filters = Filters(limit=10, since=config.since)
        self.web = Web(
            door, found, filters, texts=_WORKS[config.effort], seconds=self._round(), addresses=addresses_in(question)
        )
        self.ranker = Ranker(embedder)
        WORKER.warm(Limits())  # pages come in seconds, and a process takes as long to start
        self._first: dict[tuple[str, str, str], Failure] = {}

    def _round(self) -> float:
        return min(_ROUND, max(self.config.budget * _SHARE, 2.0)) if self.config.budget else _ROUND

    def search(self, queries: Sequence[str], k: int) -> Found:
        """The best `k` passages for each query out of all that was fetched so far, and every ending that was none."""
        allowed = [query for query in queries if self._may_leave(query)]
        held = [query for query in queries if query not in allowed]
        gathered = self.web.gather(allowed) if allowed else None
        if gathered:
            self.ranker.add(gathered.documents)
        hits = [hit for query in queries for hit in self.ranker.search(query, k)]
        failures = self._in_first_words(
            (*(_held_back(query) for query in held), *(gathered.failures if gathered else ()))
        )
        calls = (*(_not_approved(query) for query in held), *(gathered.calls if gathered else ()))
        return Found(hits=tuple(hits), failures=failures, calls=calls)

    def _in_first_words(self, failures: Sequence[Failure]) -> tuple[Failure, ...]:
        """A failure that was told in an earlier round is told in the same words: its moment alone makes it no other."""
        same = (self._first.setdefault((f.name, f.kind, f.cause), f) for f in failures)
        return tuple(dict.fromkeys(same))

    def _may_leave(self, query: str) -> bool:
        return not self.config.approve_queries or (self.approve is not None and self.approve(query))

    def document(self, source_id: str) -> Document | None:
        return self.ranker.document(source_id)

    def close(self) -> None:
        self.door.close()


def _held_back(query: str) -> Failure:
    message = f"“{query}” was not sent to any service: nobody approved it."
    error = Refused(message, cause="not approved", where="web")
    return error.failure("web")


def _not_approved(query: str) -> Call:
    return Call(service="web", query=query, outcome="refused", cause="not approved")
