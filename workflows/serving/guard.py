"""What stands before the application: who may come in, how much may be sent, and how long a body may take. Pure ASGI."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import anyio
from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .loopback import is_loopback

MOST_BYTES = 8 * 2**20  # of one body
MOST_HELD = 64 * 2**20  # of all bodies that are being read or answered
BODY_SECONDS = 30.0  # a body has to be here by then


def refusal(status: int, message: str, kind: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as every endpoint tells it: one sentence and its kind."""
    return JSONResponse({"error": {"message": message, "type": kind}}, status, headers)


def client_of(request: Request) -> str:
    """Whose request it is, for fairness: the address it comes from."""
    return request.client.host if request.client else ""


class Guard:
    """ASGI middleware: what is refused before the application sees it.

    A browser may be led to a server on the loopback address by any page, through a name of the page's own that resolves to it (DNS
    rebinding): there Host and Origin have to name this machine, or one of `hosts`. Elsewhere a token keeps strangers out; /health
    is for everyone. `busy` says whether a client has to come back later; it is asked before a body is read.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, hosts: Sequence[str], busy: Callable[[str], JSONResponse | None]
    ):
        self.app, self.token, self.hosts, self.busy = app, token, frozenset(hosts), busy
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)
        refused = self._stranger(request)
        if request.method != "POST":
            await (refused or self.app)(scope, receive, send)
        elif refused := refused or _misfit(request) or self.busy(client_of(request)):
            await refused(scope, receive, send)
        else:
            await self._with_body(scope, receive, send)

    def _stranger(self, request: Request) -> JSONResponse | None:
        server = request.scope.get("server") or ("", None)
        if is_loopback(server[0]):
            origin = request.headers.get("origin")
            if not self._is_ours(f"//{request.headers.get('host', '')}"):
                return refusal(
                    403, "this server was asked for by another name than its own; call it 127.0.0.1", "forbidden"
                )
            if origin is not None and not self._is_ours(origin):
                return refusal(403, "pages of another site may not ask this server", "forbidden")
        if self.token and request.url.path != "/health":
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return refusal(401, "send the server's token as Authorization: Bearer ...", "unauthorized")
        return None

    def _is_ours(self, url: str) -> bool:
        try:
            host = urlsplit(url).hostname
        except ValueError:  # half an IPv6 address
            return False
        return host is not None and (is_loopback(host) or host in self.hosts)

    async def _with_body(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body and hand it on in one piece; its bytes count until the answer is given."""
        parts: list[bytes] = []
        try:
            refused = await self._read(receive, parts)
            if refused:
                await refused(scope, receive, send)
            else:
                await self.app(scope, _replayed(b"".join(parts), receive), send)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        finally:
            self._held -= sum(map(len, parts))

    async def _read(self, receive: Receive, parts: list[bytes]) -> JSONResponse | None:
        """Read a body into `parts`, or say why not. ClientDisconnect when the client goes away in the middle."""
        with anyio.move_on_after(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                self._held += len(parts[-1])
                if self._held > MOST_HELD:
                    return refusal(
                        429, "too much is being sent at once; try again soon", "overloaded", {"Retry-After": "2"}
                    )
                if not message.get("more_body", False):
                    return None
        return refusal(408, f"the body was not here within {BODY_SECONDS:.0f} seconds", "invalid_request")


def _misfit(request: Request) -> JSONResponse | None:
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        return refusal(411, "send a Content-Length; chunked bodies are not read", "invalid_request")
    if len(length) > len(str(MOST_BYTES)) or int(length) > MOST_BYTES:
        return refusal(413, f"the body is too long; send at most {MOST_BYTES} bytes", "invalid_request")
    return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """What an application receives: the whole body, and then what happens to the connection."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
