"""The door: every request of the program to the outside goes through `Door.get` or `Door.page`."""

from __future__ import annotations

import email.utils
import hashlib
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import httpx
import stamina

from ..outcomes import Failed, Limited, Offline, Refused, SourceError
from . import bodies, refresh
from .address import Address, follow
from .address import read as read_address
from .cache import Cache, Wire
from .hosts import PATIENCE, Hosts, Rate
from .network import DEADLINE, OWN, Dial, Guard, system_dial, transport
from .robots import AGENT, Robots
from .robots import MAX_BYTES as MAX_ROBOTS

MAX_REDIRECTS = 10
MAX_BYTES = 20 * 1024 * 1024
LONGEST_WAIT = 24 * 3600.0  # seconds of a Retry-After that are believed
Reach = Literal["offline", "replay", "online"]

_REDIRECTS = (301, 302, 303, 307, 308)
_POLITE = Rate()
_STRICT = Guard()


@dataclass(frozen=True)
class Ask:
    """A request. `secret` headers and `private` parameters of the query go on the wire and nowhere else: not into the cache, an
    error or an address that is shown. `accept` are the media types that can be read, () for any.

    `own` says that it goes to a service which the person set, whose address may be private;
    `answers` are statuses besides 2xx whose body the caller reads itself; `seconds` is for everything, waiting and retries too;
    `keep` is how long an answer without caching headers of its own may be served from the cache.
    """

    url: str
    accept: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    secret: tuple[tuple[str, str], ...] = ()
    private: tuple[tuple[str, str], ...] = ()
    own: bool = False
    body: bytes | None = None  # given, the request is a POST
    answers: tuple[int, ...] = ()
    robots: bool = False
    rate: Rate = _POLITE
    attempts: int = 3
    seconds: float = 20.0
    max_bytes: int = MAX_BYTES
    keep: float = 24 * 3600.0
    fresh: bool = False  # past the cache


@dataclass(frozen=True)
class Page:
    """An answer: `url` is where it was found in the end. `sha256` is of the body as unpacked."""

    asked: str
    url: str
    status: int
    media_type: str
    body: bytes
    fetched: datetime
    headers: httpx.Headers = field(default_factory=httpx.Headers)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


def saved(url: str, body: bytes, content_type: str, fetched: datetime) -> Page:
    """A page as it was once answered, without asking for it again."""
    headers = httpx.Headers({"content-type": content_type})
    return Page(url, url, 200, content_type.partition(";")[0].strip().lower(), body, fetched, headers)


@dataclass(frozen=True)
class Border:
    """What may pass, set once by the person: whether at all, to which hosts (None for every public one), and under which name."""

    reach: Reach = "offline"
    hosts: frozenset[str] | None = None
    contact: str = ""  # an e-mail address, for the people whose services are asked
    cache: Path | None = None
    proxy: str | None = None


_SHUT = Border()


class Door:
    """Thread-safe. Close it, or use it as `with Door(...) as door`."""

    def __init__(
        self,
        border: Border = _SHUT,
        guard: Guard = _STRICT,
        *,
        dial: Dial = system_dial,
        below: httpx.BaseTransport | None = None,
        verify: object = True,
    ):
        self.border, self.guard, self.hosts = border, guard, Hosts()
        self.robots = Robots(self._robots_txt)
        wire = Wire(below or transport(guard, dial, verify, border.proxy))  # type: ignore[arg-type]
        self.cache = Cache(border.cache, wire, replay=border.reach == "replay") if border.cache else None
        self._transport: httpx.BaseTransport = self.cache or wire
        self._closing = threading.Event()

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    def page(self, ask: Ask) -> Page:
        """`get`, and redirects that stand inside the page followed as if HTTP had given them."""
        url, hops = ask.url, 0
        deadline = time.monotonic() + ask.seconds
        while True:
            page = self.get(replace(ask, url=url, seconds=deadline - time.monotonic()))
            onward = refresh.target(page.body) if page.media_type in ("text/html", "application/xhtml+xml") else None
            target = follow(read_address(page.url), onward) if onward else None
            if target is None or target.url == page.url:
                return replace(page, asked=ask.url)
            ask = _onward(ask, read_address(page.url), target)
            url, hops = target.url, hops + 1
            if hops > MAX_REDIRECTS:
                raise _loop(ask.url)

    def get(self, ask: Ask) -> Page:
        """The answer, within the caps. Raises Refused, Limited, Failed or Offline, each saying why; never anything else."""
        if self.border.reach == "offline":
            raise Offline(
                f"{ask.url} was not asked: the network is off; allow it with --web.", cause="offline", where=ask.url
            )
        deadline = time.monotonic() + ask.seconds
        target = self.guard.read(ask.url, ask.own)
        seen = {target.url}
        for _ in range(MAX_REDIRECTS + 1):
            page = self._attempts(target, ask, deadline)
            if page.status not in _REDIRECTS:
                return page
            onward = follow(target, page.headers.get("location", ""))
            if onward.url in seen or ask.body is not None:
                raise _loop(ask.url)
            ask = _onward(ask, target, onward)
            seen.add(onward.url)
            target = onward
        raise _loop(ask.url)

    def forget(self, url: str) -> None:
        """The cached answer of an address is dropped: its content was no answer."""
        if self.cache:
            self.cache.forget(read_address(url).url)

    def _attempts(self, target: Address, ask: Ask, deadline: float) -> Page:
        self.guard.check(target, ask.own)
        if self.border.hosts is not None and target.host not in self.border.hosts:
            raise Refused(
                f"{target.host} was not asked: only {', '.join(sorted(self.border.hosts))} were allowed.",
                cause="not allowed",
                where=target.url,
            )
        rate = ask.rate
        if ask.robots and self.border.reach == "online":
            rate = replace(rate, interval=max(rate.interval, self.robots.check(target)))
        left = deadline - time.monotonic()
        for attempt in stamina.retry_context(on=_worth_another, attempts=ask.attempts, timeout=left, wait_initial=0.3):
            with attempt:
                return self._once(target, replace(ask, rate=rate), deadline)
        raise AssertionError("stamina ends with a value or an error")

    def _once(self, target: Address, ask: Ask, deadline: float) -> Page:
        if self.border.reach == "replay":
            return self._send(target, ask, deadline)
        with self.hosts.turn(target.host, ask.rate, deadline):
            try:
                page = self._send(target, ask, deadline)
            except Limited as exc:
                self.hosts.limited(target.host, (exc.until - datetime.now(UTC)).total_seconds() if exc.until else 60)
                raise
            except Failed as exc:
                if exc.cause in _DOWN:
                    self.hosts.failed(target.host)
                raise
        self.hosts.succeeded(target.host)
        return page

    def _send(self, target: Address, ask: Ask, deadline: float) -> Page:
        left = deadline - time.monotonic()
        if left <= 0:
            raise Failed(f"{target.host} was not reached in time.", cause="timeout", where=target.url)
        request = httpx.Request(
            "GET" if ask.body is None else "POST",
            target.url,
            headers=self._headers(ask),
            content=ask.body,
            extensions={
                "timeout": httpx.Timeout(left, connect=min(left, 10.0)).as_dict(),
                "secret": (self._agent, *ask.secret),
                "private": ask.private,
                "keep": ask.keep,
            },
        )
        tokens = DEADLINE.set(deadline), OWN.set(ask.own)
        try:
            response = self._transport.handle_request(request)
            response.request = request
            try:
                return _page(target, ask, response, deadline)
            finally:
                response.close()
        except httpx.HTTPError as exc:
            raise _translated(exc, target) from exc
        finally:
            DEADLINE.reset(tokens[0])
            OWN.reset(tokens[1])

    @property
    def _agent(self) -> tuple[str, str]:
        """Who asks, with the person's contact: below the cache, which would keep it."""
        contact = f"; mailto:{self.border.contact}" if self.border.contact else ""
        return ("user-agent", f"{AGENT}/0.1 (research for one person{contact})")

    def _headers(self, ask: Ask) -> list[tuple[str, str]]:
        ours = [
            ("accept", ", ".join(ask.accept) or "*/*"),
            ("accept-encoding", bodies.ENCODINGS),
        ]
        return ours + list(ask.headers) + ([("cache-control", "no-cache")] if ask.fresh else [])

    def _robots_txt(self, url: str) -> str:
        try:
            page = self.get(Ask(url, seconds=10.0, max_bytes=MAX_ROBOTS, attempts=1, rate=Rate(0.0, 2)))
        except Refused as exc:
            if exc.cause in ("address", "not allowed"):
                raise
            return ""  # a site that refuses its robots.txt has none (RFC 9309)
        except Failed as exc:
            if exc.cause == "missing":
                return ""
            raise
        return page.body.decode("utf-8", errors="replace")


_DOWN = frozenset(("timeout", "unreachable", "dns", "cut", "server", "tls"))


def _worth_another(error: Exception) -> bool | float:
    """Whether a retry can help, and after how many seconds where the service said so."""
    if isinstance(error, Limited):
        wait = (error.until - datetime.now(UTC)).total_seconds() if error.until else PATIENCE + 1
        return max(wait, 0.1) if wait <= PATIENCE else False
    return isinstance(error, SourceError) and error.retryable


def _page(target: Address, ask: Ask, response: httpx.Response, deadline: float) -> Page:
    """A response read and judged by its status and media type."""
    status, media_type = response.status_code, _media_type(response)
    body = b""
    if status not in _REDIRECTS:
        _judge(target, ask, response)
        if ask.accept and status < 300 and media_type not in ask.accept:
            raise Failed(
                f"{target.host} sent {media_type or 'something unnamed'}, where {' or '.join(ask.accept)} was expected.",
                cause="type",
                where=target.url,
            )
        body = bodies.read(response, ask.max_bytes, deadline)
    return Page(ask.url, target.url, status, media_type, body, datetime.now(UTC), response.headers)


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _judge(target: Address, ask: Ask, response: httpx.Response) -> None:
    """Raise what a status means, unless the caller reads it itself."""
    status, where = response.status_code, target.url
    if status < 300 or status in ask.answers:
        return
    if status == 429 or (status == 503 and "retry-after" in response.headers):
        seconds = retry_after(response.headers.get("retry-after"))
        until = datetime.now(UTC) + timedelta(seconds=60.0 if seconds is None else seconds)
        raise Limited(f"{target.host} asks for patience ({status}).", cause="rate", where=where, until=until)
    if response.headers.get("cf-mitigated") == "challenge":
        raise Refused(f"{where} wants a person to prove themselves.", cause="gate", where=where)
    if status in _REFUSALS:
        cause, why = _REFUSALS[status]
        raise Refused(f"{where} {why} ({status}).", cause=cause, where=where)
    if status in (404, 410):
        raise Failed(f"{where} does not exist ({status}).", cause="missing", where=where)
    if status >= 500:
        raise Failed(f"{target.host} has a fault ({status}).", cause="server", where=where, again=True)
    raise Failed(f"{target.host} did not take the request ({status}).", cause="status", where=where)


_REFUSALS = {
    401: ("key", "wants a key, or another one"),
    402: ("paywall", "wants money"),
    403: ("gate", "may not be read by programs"),
    407: ("key", "wants a key for the proxy"),
    451: ("gate", "is withheld for legal reasons"),
}


def retry_after(value: str | None) -> float | None:
    """Seconds from a Retry-After header, which holds seconds or a date; None when it holds neither."""
    if not value:
        return None
    if value.strip().isdigit():
        return min(float(value), LONGEST_WAIT)
    with suppress(ValueError, TypeError):
        then = email.utils.parsedate_to_datetime(value)
        return min(max((then - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)
    return None


def _translated(error: httpx.HTTPError, target: Address) -> Failed:
    """What httpx says, as one of our outcomes."""
    where = target.url
    if isinstance(error, httpx.TimeoutException):
        return Failed(f"{target.host} did not answer in time.", cause="timeout", where=where)
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error).upper():
        return Failed(f"{target.host} could not prove its name by TLS ({error}).", cause="tls", where=where)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return Failed(f"{target.host} could not be reached ({error}).", cause="unreachable", where=where, again=True)
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError | httpx.WriteError):
        return Failed(f"{target.host} broke off its answer ({error}).", cause="cut", where=where, again=True)
    return Failed(f"{target.host} could not be asked ({error}).", cause="status", where=where)


def _onward(ask: Ask, source: Address, target: Address) -> Ask:
    """The request after a redirect: what belongs to one origin, its secrets and its exemption, does not go to another."""
    return ask if source.origin == target.origin else replace(ask, secret=(), private=(), own=False)


def _loop(url: str) -> Refused:
    return Refused(f"{url} redirects in a circle, or more than {MAX_REDIRECTS} times.", cause="address", where=url)
