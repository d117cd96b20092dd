"""Who may come in: pages of this machine alone, or whoever has the token. Pure ASGI, for HTTP and WebSocket alike."""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from palimpsest.workflows.serving.loopback import is_loopback

__all__ = ["Guard", "is_loopback"]

COOKIE = "palimpsest_token"
POLICY = (  # no request leaves the machine, whatever a page is led to hold
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; media-src 'self' blob:; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; connect-src 'self'; frame-ancestors 'none'; "
    "form-action 'self'; base-uri 'self'; object-src 'none'"
)


class Guard:
    """Refuses what is not asked for by this server's own name, comes from a page of another site, or lacks the token.

    A page of any site may lead a browser to a loopback address, by a name of its own that resolves to it: so Host and Origin are looked
    at. Elsewhere a token is asked for once, as ?token=…, and kept in a cookie that scripts cannot read.
    """

    def __init__(self, app: ASGIApp, token: str | None, host: str):
        self.app, self.token, self.host = app, token, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refused = self._refused(scope)
        if refused is None:
            await self.app(scope, receive, _with_policy(send) if scope["type"] == "http" else send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
        else:
            await refused(scope, receive, send)

    def _refused(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._is_ours(f"//{headers.get('host', '')}"):
            return _no(403, "this workbench was asked for by another name than its own; call it by its address")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != headers.get("host", ""):
            return _no(403, "pages of another site may not ask this workbench")
        return self._without_token(scope, headers) if self.token else None

    def _is_ours(self, url: str) -> bool:
        try:
            name = urlsplit(url).hostname or ""
        except ValueError:  # half an IPv6 address
            return False
        if is_loopback(self.host):
            return is_loopback(name)
        return bool(name)  # behind another address any name may be meant; there the token decides

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        assert self.token is not None
        if _same(_cookie(headers), self.token):
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["type"] == "http" and _same(given, self.token):
            entered = RedirectResponse(scope["path"], 303)
            entered.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            return entered
        return _no(401, "this workbench asks for its token: open it once with ?token=... in the address")


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _no(status: int, sentence: str) -> Response:
    return PlainTextResponse(sentence + "\n", status, {"Cache-Control": "no-store"})


def _with_policy(send: Send) -> Send:
    """Answers with a policy that lets a browser ask nobody else."""

    async def sent(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            extra = (
                (b"content-security-policy", POLICY.encode()),
                (b"referrer-policy", b"no-referrer"),
                (b"x-content-type-options", b"nosniff"),
            )
            kept = [(k, v) for k, v in message.get("headers", ()) if k != b"x-content-type-options"]  # type: ignore[attr-defined]
            message = {**message, "headers": [*kept, *extra]}
        await send(message)

    return sent  # type: ignore[return-value]
