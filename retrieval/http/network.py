"""The one place where sockets are opened: a name is resolved once, every answer is checked, and the checked address is connected to."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from ..outcomes import Failed, Refused
from . import address as addresses
from .address import IPAddress, parse_ip

# The moment (time.monotonic) at which the request under way must be over: a server that sends a byte a second never times out else.
DEADLINE: ContextVar[float] = ContextVar("DEADLINE", default=float("inf"))
# Whether the request under way is one to a person's own service. A door says so of each; a transport without a door means it.
OWN: ContextVar[bool] = ContextVar("OWN", default=True)


@dataclass(frozen=True)
class Answer:
    """What a resolver says of a name: its addresses, and the name they really belong to (the end of its aliases)."""

    addresses: tuple[IPAddress, ...]
    canonical: str = ""


Resolve = Callable[[str, int], Answer]
PATIENT = 10.0  # seconds for the system's resolver
Dial = Callable[[str, int, float | None], httpcore.NetworkStream]


def system_resolve(host: str, port: int) -> Answer:
    """The answer of the system's resolver, which knows no deadline of its own: who waits for it does not wait for ever."""
    answers: queue.Queue[list[Any] | Exception] = queue.Queue()
    threading.Thread(target=_look_up, args=(host, port, answers), daemon=True).start()
    try:
        found = answers.get(timeout=_left(PATIENT))
    except queue.Empty:
        raise Failed(f"no answer came in time to the name of {host}.", cause="timeout", where=host) from None
    if isinstance(found, Exception):
        raise Failed(f"{host} has no address ({found}).", cause="dns", where=host, again=_temporary(found)) from found
    canonical = next((name for *_, name, _ in found if name), "")
    return Answer(tuple(dict.fromkeys(parse_ip(str(place[0])) for *_, place in found)), canonical)


def _look_up(host: str, port: int, answers: queue.Queue[list[Any] | Exception]) -> None:
    try:
        answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME))
    except (OSError, UnicodeError) as exc:
        answers.put(exc)


def _temporary(error: Exception) -> bool:
    return isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN


def system_dial(host: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
    """A connection to an IP address."""
    return httpcore.SyncBackend().connect_tcp(host, port, timeout=timeout)


@dataclass(frozen=True)
class Guard:
    """Who may be connected to. `operators` are origins (scheme, host, port) of a person's own services: they may be private.

    Only what is asked of the service itself may go there (`own`). An answer, a page or a redirect of somebody else's that leads to
    such an origin would make the program ask in the person's name.
    """

    operators: frozenset[tuple[str, str, int]] = frozenset()
    ports: frozenset[int] = frozenset((80, 443))
    resolve: Resolve = system_resolve

    def read(self, url: str, own: bool = False) -> addresses.Address:
        """The address, checked as far as it can be without a resolver."""
        target = addresses.read(url)
        self.check(target, own)
        return target

    def check(self, target: addresses.Address, own: bool = False) -> None:
        if target.origin not in self.operators:
            addresses.check(target, self.ports)
        elif not own:
            raise Refused(
                f"{target.url!r} was not asked: it leads to a service of your own, which no page is fetched from.",
                cause="address",
                where=target.url,
            )

    def pinned(self, host: str, port: int) -> tuple[IPAddress, ...]:
        """The addresses to connect to, each checked; resolved at this moment and not again."""
        literal = _as_ip(host)
        answer = Answer((literal,)) if literal else self.resolve(host, port)
        if not answer.addresses:
            raise Failed(f"{host} has no address.", cause="dns", where=host)
        if not (OWN.get() and any((host, port) == origin[1:] for origin in self.operators)):
            if answer.canonical:
                addresses.check_name(answer.canonical, host)
            addresses.check_answers(host, answer.addresses, host)
        return answer.addresses


def _as_ip(host: str) -> IPAddress | None:
    try:
        return parse_ip(host)
    except ValueError:
        return None


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to what the guard checked. TLS still proves the name that was asked: httpcore hands it over separately."""

    def __init__(self, guard: Guard, dial: Dial):
        self.guard, self.dial = guard, dial

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        error: Exception | None = None
        for place in self.guard.pinned(host, port):
            try:
                return TimedStream(self.dial(str(place), port, _left(timeout)))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                error = exc
        assert error is not None, "the guard gives at least one address"
        raise error

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise httpcore.UnsupportedProtocol("no local sockets")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class TimedStream(httpcore.NetworkStream):
    """A stream whose every wait ends at the deadline of the request, however slowly bytes drip."""

    def __init__(self, stream: httpcore.NetworkStream):
        self.stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return TimedStream(self.stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = DEADLINE.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for this request is over")
    return min(left, 60.0 if timeout is None else timeout)


def transport(
    guard: Guard, dial: Dial = system_dial, verify: ssl.SSLContext | bool = True, proxy: str | None = None
) -> httpx.BaseTransport:
    """httpx over the guard. It has no public hook for a network backend; a test proves that this one is used.

    No connection is used twice: what a server sends behind its answer would be taken for the next one.

    A proxy resolves names itself, which the guard cannot see: then only literals and names are checked, and a person is told so.
    """
    context = httpx.create_ssl_context(verify=verify, trust_env=False)
    made = httpx.HTTPTransport(
        verify=context, trust_env=False, proxy=proxy, limits=httpx.Limits(max_keepalive_connections=0)
    )
    if proxy is None:
        made._pool._network_backend = PinnedBackend(guard, dial)
    return made
