"""Who may come in, how much may be sent and how long it may take; before any application sees it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.serving import guard
from palimpsest.workflows.serving.guard import Guard
from palimpsest.workflows.serving.loopback import is_loopback
from palimpsest.workflows.serving.server import check_exposure

from .world import client


def guarded(token: str | None = None, hosts: tuple[str, ...] = (), busy: JSONResponse | None = None) -> FastAPI:
    """An application that says how long a body is."""
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/health")
    async def health() -> str:
        return "ok"

    app.add_middleware(Guard, token=token, hosts=hosts, busy=lambda who: busy)
    return app


HERE = "http://127.0.0.1:8321"


@pytest.mark.parametrize("url", [HERE, "http://[::1]:8321", "http://localhost:8321", "http://127.9.9.9"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8321"}, 200),
        ({"Host": "LOCALHOST"}, 200),
        ({"Host": "localhost."}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:8321"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost@evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "192.0.2.1"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "http://127.0.0.1.evil.example"}, 403),
    ],
)
def test_on_loopback_host_and_origin_name_this_machine(url: str, headers: dict[str, str], status: int) -> None:
    """A page that made its own name mean 127.0.0.1 (DNS rebinding) is told from a program that asks for this machine."""
    one = client(guarded(), url=url)
    assert one.post("/echo", content=b"12", headers=headers).status_code == status
    assert one.get("/health", headers=headers).status_code == status
    assert one.options("/echo", headers=headers).status_code in (status, 405)


def test_a_reverse_proxy_asks_by_the_name_it_was_given() -> None:
    named = {"Host": "models.example", "Origin": "https://models.example"}
    assert client(guarded(), url=HERE).post("/echo", content=b"1", headers=named).status_code == 403
    assert client(guarded(hosts=("models.example",)), url=HERE).post("/echo", content=b"1", headers=named).is_success


def test_beyond_loopback_a_token_is_asked_for() -> None:
    one = client(guarded("s3cret"), url="http://models.example")
    assert one.get("/health").status_code == 200
    assert one.post("/echo", content=b"1").status_code == 401
    assert one.post("/echo", content=b"1", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert one.post("/echo", content=b"1", headers={"Authorization": "Bearer s3cret"}).json() == 1
    foreign = {"Authorization": "Bearer s3cret", "Host": "evil.example"}
    assert client(guarded("s3cret"), url=HERE).post("/echo", content=b"1", headers=foreign).status_code == 403


def test_others_need_a_token_to_be_set() -> None:
    for host in ("127.0.0.1", "127.0.0.2", "localhost", "::1"):
        check_exposure(host, None)
    for host in ("0.0.0.0", "::", "192.0.2.1", "models.example", ""):
        check_exposure(host, "s3cret")
        with pytest.raises(ResearchError, match="set RESEARCH_SERVE_TOKEN"):
            check_exposure(host, None)
    assert not is_loopback("localhost.evil.example")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": str(guard.MOST_BYTES + 1)}, 413),
        ({"Content-Length": "9" * 5000}, 413),
        ({"Content-Length": "many"}, 411),
        ({"Content-Length": "-5"}, 411),
        ({"Content-Length": b"\xb2"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_a_length_is_asked_for_and_believed(headers: Any, status: int) -> None:
    reply = client(guarded()).post("/echo", content=b"{}", headers=headers)
    assert reply.status_code == status
    assert reply.json()["error"]["message"]


def test_a_body_is_not_read_when_there_is_no_room() -> None:
    busy = guard.refusal(429, "come again", "overloaded")
    assert client(guarded(busy=busy)).post("/echo", content=b"1").status_code == 429
    assert client(guarded(busy=busy)).get("/health").status_code == 200


def test_whole_bodies_arrive_whole() -> None:
    one = client(guarded())
    assert one.post("/echo", content=b"").json() == 0
    assert one.post("/echo", content=b"x" * 300_000).json() == 300_000


class Dripping:
    """A request whose body comes in parts; what is sent back is kept."""

    def __init__(self, parts: list[Any]):
        self.parts, self.sent = parts, []
        self.scope = {"type": "http", "method": "POST", "path": "/echo", "headers": [(b"content-length", b"9")]}
        self.scope |= {"query_string": b"", "server": ("s", 1), "client": ("c", 1)}

    async def receive(self) -> Any:
        if not self.parts:
            await anyio.sleep(60)
        return self.parts.pop(0)

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def asked(self, app: Any) -> int | None:
        anyio.run(app, self.scope, self.receive, self.send)
        return self.sent[0]["status"] if self.sent else None


def part(body: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def app_of(seen: list[bytes]) -> Guard:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((await receive())["body"])
        await JSONResponse({})(scope, receive, send)

    return Guard(app, None, (), lambda who: None)


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.05)
    seen: list[bytes] = []
    made = app_of(seen)
    assert Dripping([part(b"123")]).asked(made) == 408
    assert Dripping([part(b"123"), {"type": "http.disconnect"}]).asked(made) is None
    assert Dripping([part(b"12"), part(b"34"), part(b"", more=False)]).asked(made) == 200
    assert seen == [b"1234"]
    assert made._held == 0


def test_all_bodies_together_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MOST_HELD", 4)
    made = app_of([])
    assert Dripping([part(b"123"), part(b"45", more=False)]).asked(made) == 429
    assert Dripping([part(b"123", more=False)]).asked(made) == 200
    assert made._held == 0


def test_what_is_no_request_is_passed_on() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    anyio.run(Guard(app, "t", (), lambda who: None), {"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]
