"""Who is next: a bounded line of jobs, fair by client and, within a client, by job. Neither threads nor a model are here."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Generic, TypeVar


class OverloadedError(Exception):
    """More is asked than can be done soon; try again after `seconds`."""

    def __init__(self, message: str, seconds: float = 1.0):
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True)
class Ticket:
    """Who asks, for what, and how much of it: `size` in any unit that is the same for all jobs of a `kind`; 0 is not known."""

    client: str = ""
    kind: str = ""
    size: int = 0


class Entry:
    """A job's place in line. `spent`: seconds of the model it has had. `service`: the same, counted from what the others had when
    it came, so that who comes late is neither behind nor ahead for ever. `expected`: seconds it is thought to need in all.
    """

    def __init__(self, ticket: Ticket):
        self.ticket = ticket
        self.expected = self.spent = self.service = 0.0

    @property
    def remaining(self) -> float:
        return max(self.expected - self.spent, 0.0)


E = TypeVar("E", bound=Entry)


@dataclass(eq=False)
class Client(Generic[E]):
    """The jobs of one client, in the order in which they came, and the seconds it has been served (see `Entry.service`)."""

    service: float
    jobs: list[E] = field(default_factory=list)


class Line(Generic[E]):
    """Jobs that wait or are worked on: at most `places` of them, and nobody joins where more than `patience` seconds of work wait."""

    def __init__(self, places: int, patience: float):
        self.places, self.patience = places, patience
        self.rates: dict[str, float] = {}  # seconds for a unit of size, by kind of job, as they were lately
        self._clients: dict[str, Client[E]] = {}

    def __len__(self) -> int:
        return sum(len(c.jobs) for c in self._clients.values())

    @property
    def waits(self) -> float:
        """Seconds of work that are known to stand in line."""
        return sum(j.remaining for c in self._clients.values() for j in c.jobs)

    def check(self, client: str) -> None:
        """OverloadedError when a job of this client could not join now."""
        if self._is_full() and self._loser(client) is None:
            raise OverloadedError(self._refusal(), self._again())

    def join(self, entry: E) -> E | None:
        """Stand in line. Returned is who has to leave for it: a full line holds nobody's jobs back for those of a client that has more.

        OverloadedError when the line is full and nobody has to.
        """
        self.check(entry.ticket.client)
        loser = self._loser(entry.ticket.client) if self._is_full() else None
        if loser is not None:
            self.leave(loser)
        entry.expected = entry.ticket.size * self.rates.get(entry.ticket.kind, 0.0)
        self._put(entry)
        return loser

    def leave(self, entry: E) -> None:
        client = self._clients.get(entry.ticket.client)
        if client and entry in client.jobs:
            client.jobs.remove(entry)
            if not client.jobs:
                del self._clients[entry.ticket.client]

    def charge(self, entry: E, seconds: float) -> None:
        """What a job was served; its client pays too."""
        entry.spent += seconds
        entry.service += seconds
        if client := self._clients.get(entry.ticket.client):
            client.service += seconds

    def learn(self, entry: E) -> None:
        """What a job needed, now that it is done, is what the next of its kind is expected to need for its size."""
        if entry.ticket.size:
            seen, old = entry.spent / entry.ticket.size, self.rates.get(entry.ticket.kind)
            self.rates[entry.ticket.kind] = seen if old is None else (seen + old) / 2

    def order(self) -> list[E]:
        """The next first: clients take turns, who was served least begins; so do the jobs of each."""
        clients = sorted(self._clients.values(), key=lambda c: c.service)
        queues = [sorted(c.jobs, key=lambda j: j.service) for c in clients]
        return [job for turn in zip_longest(*queues) for job in turn if job is not None]

    def _put(self, entry: E) -> None:
        name = entry.ticket.client
        if name not in self._clients:
            self._clients[name] = Client(min((c.service for c in self._clients.values()), default=0.0))
        jobs = self._clients[name].jobs
        entry.service = min((j.service for j in jobs), default=0.0)
        jobs.append(entry)

    def _is_full(self) -> bool:
        return len(self) >= self.places or self.waits > self.patience

    def _loser(self, newcomer: str) -> E | None:
        """The youngest job that was not begun, of the client that has most, where that is more than the newcomer would have."""
        mine = len(self._clients[newcomer].jobs) if newcomer in self._clients else 0
        most = max(self._clients.values(), key=lambda c: len(c.jobs))
        if len(most.jobs) <= mine + 1:
            return None
        return next((j for j in reversed(most.jobs) if not j.spent), None)

    def _refusal(self) -> str:
        if len(self) >= self.places:
            return f"{len(self)} requests are here already; try again in a few seconds"
        return f"the requests that are here already need some {self.waits:.0f} seconds; try again later"

    def _again(self) -> float:
        """Seconds after which half of what waits should be done, 1 to 60."""
        return min(max(self.waits / 2, 1.0), 60.0)
