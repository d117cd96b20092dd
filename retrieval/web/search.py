"""A round of searches: every service side by side, works put together, the best ones read; whatever failed is named."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from ..http import Door
from ..outcomes import Failed, SourceError
from ..types import Call, Document, Failure
from .crossref import Crossref
from .fulltext import Reading, abstract_of, read
from .origins import Origins
from .pages import addresses_in
from .service import Filters, Service
from .services import LOOK_UPS
from .unpaywall import Unpaywall
from .work import Work
from .works import merged, same, together

WORKERS = 12
GRACE = 0.25  # of a round, for the slower half of the services
LOOKING_UP = 0.15  # of a round, for what registries know of the works found


@dataclass(frozen=True)
class Gathered:
    """What a round brought: documents, best first; failures by name; every call."""

    documents: tuple[Document, ...] = ()
    failures: tuple[Failure, ...] = ()
    calls: tuple[Call, ...] = ()


@dataclass
class Web:
    """The services of a run. `texts` works a query are read whole; `seconds` is the time of a round, at most half of it for asking."""

    door: Door
    services: Sequence[Service]
    filters: Filters = field(default_factory=Filters)
    texts: int = 6
    seconds: float = 40.0
    # That the person named; one that only a document named is never fetched for itself.
    addresses: frozenset[str] = frozenset()
    origins: Origins = field(default_factory=Origins)
    _read: dict[str, Document] = field(default_factory=dict)
    _failed: dict[str, Failure] = field(default_factory=dict)

    def gather(self, queries: Sequence[str], seconds: float | None = None) -> Gathered:
        """Ask everything at once; a slow or dead service never holds up the rest."""
        whole = min(self.seconds, seconds) if seconds is not None else self.seconds
        deadline = time.monotonic() + whole
        jobs = [
            (service, query)
            for query in dict.fromkeys(queries)
            for service in self.services
            if self._asks(service, query)
        ]
        asked = [_job(service, query, self.filters) for service, query in jobs]
        answers = _side_by_side(asked, deadline - whole / 2, grace=whole * GRACE)
        calls: list[Call] = []
        failures: list[Failure] = []
        rankings: list[tuple[Work, ...]] = []
        for (service, query), (answer, spent) in zip(jobs, answers, strict=True):
            calls.append(_call(service.name, query, answer, spent))
            if isinstance(answer, SourceError):
                failures.append(answer.failure(service.name))
            elif isinstance(answer, tuple):
                rankings.append(answer)
        works = [work for work in merged(rankings) if not work.is_notice and self._is_new_enough(work)]
        works = works[: self.texts * max(len(set(queries)), 1)]
        down = {call.service for call in calls if call.outcome in ("limited", "failed", "refused")}
        works = self._looked_up(works, down, min(whole * LOOKING_UP, 5.0))
        documents, unread = self._texts(works, deadline)
        return Gathered(tuple(documents), tuple(dict.fromkeys((*failures, *unread))), tuple(calls))

    def _asks(self, service: Service, query: str) -> bool:
        """Look-up services answer about what is known already, not about a question."""
        named = addresses_in(query)
        return service.name not in LOOK_UPS or (service.name == "pages" and bool(named) and named <= self.addresses)

    def _is_new_enough(self, work: Work) -> bool:
        """Some services cannot filter by year; a work without a date is kept."""
        year = (work.date or "")[:4]
        return not (self.filters.since and year.isdecimal()) or int(year) >= self.filters.since

    def _looked_up(self, works: list[Work], down: set[str], seconds: float) -> list[Work]:
        """The works with what the registries say of their DOIs: retractions by Crossref, open copies by Unpaywall.

        One that failed in this round already is not asked again.
        """
        registries = [s for s in self.services if isinstance(s, Crossref | Unpaywall) and s.name not in down]
        jobs = [
            (index, _look_up(service, work.doi))
            for index, work in enumerate(works)
            for service in registries
            if work.doi and service.name not in (work.service, *work.also) and _is_usable(service)
        ]
        found = _side_by_side([job for _, job in jobs], time.monotonic() + seconds)
        enriched = list(works)
        for (index, _), (answer, _) in zip(jobs, found, strict=True):
            if isinstance(answer, Work):
                extra = answer if same(enriched[index], answer) else None
                enriched[index] = together([enriched[index], extra]) if extra else enriched[index]
        return enriched

    def _texts(self, works: list[Work], deadline: float) -> tuple[list[Document], list[Failure]]:
        failures = [_doubted(work) for work in works if work.retracted]
        works = [work for work in works if work.retracted != "retracted"]
        new = [work for work in works if work.url not in self._read and work.url not in self._failed]
        left = max(deadline - time.monotonic(), 0.5)
        answers = _side_by_side([self._reader(work, left) for work in new], deadline)
        for work, (answer, _) in zip(new, answers, strict=True):
            if isinstance(answer, Reading):
                self._read[work.url] = self.origins.marked(answer.document)
                failures += answer.failures if answer.document.source.extent == "abstract" else ()
            elif isinstance(answer, SourceError):
                failures += self._unread(work, answer)
        return [self._read[work.url] for work in works if work.url in self._read], failures

    def _unread(self, work: Work, error: SourceError) -> list[Failure]:
        """A work whose text did not come in time is taken by its abstract; what failed otherwise is not tried again."""
        if error.cause != "timeout":
            self._failed[work.url] = error.failure(work.title)
        elif work.abstract:
            self._read[work.url] = self.origins.marked(abstract_of(work))
        return [error.failure(work.title)]

    def _reader(self, work: Work, seconds: float) -> Callable[[], Answer]:
        """Papers and pages lie at many places; an article of an encyclopaedia is what its service gives."""
        service = next((s for s in self.services if s.name == work.service), None)
        if work.kind in ("paper", "web") or work.text or service is None:
            return lambda: read(self.door, work, seconds=seconds)
        return lambda: read(self.door, service.work(work.id), seconds=seconds)


Answer = tuple[Work, ...] | Work | Reading | SourceError


def _side_by_side(
    jobs: Sequence[Callable[[], Answer]], deadline: float, grace: float | None = None
) -> list[tuple[Answer, float]]:
    """The answers in the order of the jobs, with the seconds each took. One that is not there at the deadline is Failed.

    With `grace` the others have, once half are there, as long again as that took, and at least so many seconds.
    """
    if not jobs:
        return []
    pool = ThreadPoolExecutor(max_workers=min(WORKERS, len(jobs)))
    begun = time.monotonic()
    futures: list[Future[tuple[Answer, float]]] = [pool.submit(_timed, job) for job in jobs]
    try:
        if grace is not None:
            deadline = min(deadline, _after_half(futures, deadline, begun, grace))
        wait(futures, timeout=max(deadline - time.monotonic(), 0.0))
        late = Failed("No answer came in the time of this round.", cause="timeout")
        return [future.result() if future.done() else (late, time.monotonic() - begun) for future in futures]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _after_half(futures: Sequence[Future[tuple[Answer, float]]], deadline: float, begun: float, grace: float) -> float:
    """Waits until half of the futures are done; the moment until which the others are then waited for."""
    while 2 * sum(future.done() for future in futures) < len(futures) and time.monotonic() < deadline:
        waiting = [future for future in futures if not future.done()]
        wait(waiting, timeout=max(deadline - time.monotonic(), 0.0), return_when=FIRST_COMPLETED)
    now = time.monotonic()
    return now + max(grace, now - begun)


def _timed(job: Callable[[], Answer]) -> tuple[Answer, float]:
    begun = time.monotonic()
    try:
        answer: Answer = job()
    except SourceError as exc:
        answer = exc
    return answer, time.monotonic() - begun


def _job(service: Service, query: str, filters: Filters) -> Callable[[], Answer]:
    def run() -> Answer:
        service.usable()
        return service.search(query, filters)

    return run


def _look_up(service: Service, doi: str) -> Callable[[], Answer]:
    return lambda: service.work(doi)


def _is_usable(service: Service) -> bool:
    try:
        service.usable()
    except SourceError:
        return False
    return True


def _call(service: str, query: str, answer: Answer, spent: float) -> Call:
    if isinstance(answer, SourceError):
        failure = answer.failure(service)
        return Call(
            service=service,
            query=query,
            outcome=answer.kind or "failed",
            cause=answer.cause,
            until=failure.until,
            where=answer.where,
            seconds=round(spent, 3),
        )
    found = len(answer) if isinstance(answer, tuple) else 1
    return Call(
        service=service, query=query, outcome="found" if found else "empty", found=found, seconds=round(spent, 3)
    )


def _doubted(work: Work) -> Failure:
    """What became of a work, and what follows for its use."""
    became, follows = _DOUBTS[work.retracted]
    return Failure(
        name=work.title, message=f"“{work.title}” {became} and {follows} ({work.url}).", kind="refused",
        cause=work.retracted, where=work.url,
    )  # fmt: skip


_ALONE = "supports nothing by itself, only what another source says too"
_DOUBTS = {
    "retracted": ("was retracted", "is not used as evidence"),
    "concern": ("is doubted by its publisher", _ALONE),
    "corrected": ("was corrected since", _ALONE),
}
