"""A loopback internet: names that resolve as a test says, hosts with TLS under a test authority, and services that may lie.

Every name resolves to a made-up public address, so that the real guard judges it; only the last step, `dial`, leads to one of two
local ports (plain and TLS). `dialled` lists what was connected to. Whatever no name leads to is not there.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpcore
import trustme

from palimpsest.retrieval.http import Answer, Border, Door, Guard
from palimpsest.retrieval.outcomes import Failed


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.target).query).items()}


@dataclass(frozen=True)
class Reply:
    """`raw` replaces everything by chunks sent as they are, with `pause` seconds between them."""

    body: bytes = b""
    status: int = 200
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    raw: tuple[bytes, ...] = ()
    pause: float = 0.0

    def chunks(self) -> Iterator[bytes]:
        if self.raw:
            yield from self.raw
            return
        lines = [f"HTTP/1.1 {self.status} x", f"Content-Type: {self.media_type}", f"Content-Length: {len(self.body)}"]
        lines += [f"{name}: {value}" for name, value in self.headers] + ["Connection: close", "", ""]
        yield "\r\n".join(lines).encode() + self.body


Handler = Callable[[Request], Reply]


@dataclass
class Internet:
    """`hosts` maps a name to what answers there; `answers` overrides what a name resolves to, one answer each time it is asked."""

    hosts: dict[str, Handler] = field(default_factory=dict)
    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    dialled: list[tuple[str, int]] = field(default_factory=list)
    resolved: list[str] = field(default_factory=list)
    history: list[tuple[str, Request]] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def resolve(self, host: str, port: int) -> Answer:
        self.resolved.append(host)
        if host in self.answers:
            queue = self.answers[host]
            found = queue.pop(0) if len(queue) > 1 else queue[0]
        elif host in self.hosts:
            found = [f"93.184.{sum(host.encode()) % 250}.{len(host)}"]
        else:
            raise Failed(f"{host} has no address (not known).", cause="dns", where=host)
        return Answer(tuple(map(ip_address, found)))

    def dial(self, host: str, port: int, timeout: float | None) -> httpcore.NetworkStream:
        self.dialled.append((host, port))
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", self.ports[port], timeout=timeout)

    def door(
        self, reach: Any = "online", *, cache: Path | None = None, guard: Guard | None = None, **border: Any
    ) -> Door:
        guard = guard or Guard(resolve=self.resolve)
        made = Border(reach, cache=cache, **{"contact": "tests@palimpsest.example", **border})
        return Door(made, guard, dial=self.dial, verify=self.trust)

    def asked(self, host: str) -> list[Request]:
        return [request for name, request in self.history if name == host]


@contextlib.contextmanager
def running(**hosts: Handler) -> Iterator[Internet]:
    """An internet that answers until the block ends; more hosts can be put into `hosts` meanwhile."""
    net, authority = Internet(dict(hosts)), trustme.CA()
    authority.configure_trust(net.trust)
    with _listening(net, None) as plain, _listening(net, authority) as secure:
        net.ports = {80: plain, 443: secure}
        yield net


@contextlib.contextmanager
def _listening(net: Internet, authority: trustme.CA | None) -> Iterator[int]:
    server = socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.1)
    over = threading.Event()

    def accept() -> None:
        while not over.is_set():
            try:
                connection, _ = server.accept()
            except TimeoutError:
                continue
            threading.Thread(target=_serve, args=(net, connection, authority), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        thread.join()
        server.close()


def _serve(net: Internet, connection: socket.socket, authority: trustme.CA | None) -> None:
    with contextlib.suppress(OSError, ValueError), connection:
        connection.settimeout(10)
        with _secured(connection, authority) if authority else connection as stream:
            _answer(net, stream)


def _answer(net: Internet, stream: socket.socket) -> None:
    request = _read(stream)
    host = request.headers.get("host", "").partition(":")[0]
    net.history.append((host, request))
    reply = net.hosts[host](request) if host in net.hosts else Reply(b"no such host here", 421, "text/plain")
    for chunk in reply.chunks():
        stream.sendall(chunk)
        time.sleep(reply.pause)
    if isinstance(stream, ssl.SSLSocket):
        stream.unwrap()


def _secured(connection: socket.socket, authority: trustme.CA) -> ssl.SSLSocket:
    """TLS with a certificate for whatever name the client asks."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("nobody.example").configure_cert(context)

    def choose(stream: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        chosen = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name or "nobody.example").configure_cert(chosen)
        stream.context = chosen

    context.sni_callback = choose
    return context.wrap_socket(connection, server_side=True)


def _read(stream: socket.socket) -> Request:
    data = b""
    while b"\r\n\r\n" not in data:
        data += stream.recv(65536) or _gone()
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += stream.recv(65536) or _gone()
    method, target, _ = first.split(" ")
    return Request(method, target, headers, body)


def _gone() -> bytes:
    raise ValueError("the client is gone")


def always(reply: Reply) -> Handler:
    return lambda request: reply


def paths(table: dict[str, Reply | Handler]) -> Handler:
    """Answers by path; anything else is a 404 in plain text."""

    def answer(request: Request) -> Reply:
        found = table.get(request.path, Reply(b"not here", 404, "text/plain"))
        return found(request) if callable(found) else found

    return answer


def in_turn(replies: Iterable[Reply]) -> Handler:
    """One reply after the other; the last one for ever."""
    waiting = list(replies)
    return lambda request: waiting.pop(0) if len(waiting) > 1 else waiting[0]
