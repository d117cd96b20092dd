"""A queue for each host: how many at once, how far apart, and a breaker that opens when the host is down or asks for patience."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ..outcomes import Failed, Limited

FAILURES = 3  # in a row, then the breaker opens
COOLING = 60.0  # seconds it stays open
PATIENCE = 5.0  # seconds of asked patience that are simply waited out


@dataclass(frozen=True)
class Rate:
    """The etiquette of a service: seconds between two requests, and how many may be under way at once."""

    interval: float = 1.0
    together: int = 1


@dataclass
class Host:
    """The state of one host; every change happens under `turn`."""

    turn: threading.Condition = field(default_factory=threading.Condition)
    running: int = 0
    last: float = float("-inf")  # time.monotonic of the last start
    failures: int = 0
    shut: float = 0.0  # time.monotonic until which nothing is asked
    limited: bool = False  # shut because the service asked for patience, rather than because it is down


class Hosts:
    """All hosts a door speaks to. Shared by threads."""

    def __init__(self) -> None:
        self._hosts: dict[str, Host] = {}
        self._lock = threading.Lock()

    def _host(self, name: str) -> Host:
        with self._lock:
            return self._hosts.setdefault(name, Host())

    @contextmanager
    def turn(self, name: str, rate: Rate, deadline: float) -> Iterator[None]:
        """Waits for a turn at a host. Limited or Failed at once while it is shut, Failed when no turn comes before the deadline."""
        host = self._host(name)
        self._enter(host, name, rate, deadline)
        try:
            yield
        finally:
            with host.turn:
                host.running -= 1
                host.turn.notify_all()

    def _enter(self, host: Host, name: str, rate: Rate, deadline: float) -> None:
        with host.turn:
            while True:
                now = time.monotonic()
                if now < host.shut and not (host.limited and host.shut - now <= PATIENCE):
                    raise _shut(host, name, now)
                free = 0.0 if host.running < rate.together else 0.05
                wait = max(host.last + rate.interval - now, host.shut - now, free)
                if wait <= 0:
                    break
                if now + wait > deadline:
                    raise Failed(f"No turn at {name} came in time.", cause="timeout", where=name)
                host.turn.wait(wait)
            host.running += 1
            host.last = now

    def succeeded(self, name: str) -> None:
        host = self._host(name)
        with host.turn:
            host.failures = 0

    def failed(self, name: str) -> None:
        """One more failure in a row; the third shuts the host for a while."""
        host = self._host(name)
        with host.turn:
            host.failures += 1
            if host.failures >= FAILURES:
                host.failures, host.limited, host.shut = 0, False, time.monotonic() + COOLING
                host.turn.notify_all()

    def limited(self, name: str, seconds: float) -> None:
        """The service asked for so many seconds of patience: nobody asks it before."""
        host = self._host(name)
        with host.turn:
            host.limited, host.shut = True, max(host.shut, time.monotonic() + seconds)
            host.turn.notify_all()


def _shut(host: Host, name: str, now: float) -> Limited | Failed:
    until = datetime.now(UTC) + timedelta(seconds=host.shut - now)
    if host.limited:
        return Limited(f"{name} asks for patience.", cause="rate", where=name, until=until)
    return Failed(f"{name} failed {FAILURES} times in a row and is left alone.", cause="down", where=name, until=until)
