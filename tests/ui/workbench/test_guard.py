"""Who may come in: pages of this machine by their own name, or whoever has the token."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from palimpsest.ui.workbench.guard import COOKIE, Guard


async def page(request: Any) -> PlainTextResponse:
    return PlainTextResponse("in")


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("in")
    await socket.close()


def client(host: str = "127.0.0.1", token: str | None = None, base: str = "http://127.0.0.1:8501") -> TestClient:
    inside = Starlette(routes=[Route("/", page), WebSocketRoute("/stream", stream)])
    return TestClient(Guard(inside, token, host), base_url=base)


@pytest.mark.parametrize("name", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501", "LOCALHOST:8501", "127.8.8.8"])
def test_this_machine_comes_in_by_its_own_names(name: str) -> None:
    assert client().get("/", headers={"Host": name}).text == "in"


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8501", "", "[::1", "192.168.0.7"]
)
def test_another_name_is_refused_for_pages_and_for_streams(name: str) -> None:
    """A page of evil.example whose name resolves to 127.0.0.1 would else read every run (DNS rebinding)."""
    answer = client().get("/", headers={"Host": name})
    assert (answer.status_code, answer.text.count("\n")) == (403, 1)
    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/stream", headers={"Host": name}) as held:
        held.receive_text()


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8501", "file://"]
)
def test_another_origin_is_refused(origin: str) -> None:
    assert client().get("/", headers={"Origin": origin}).status_code == 403
    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/stream", headers={"Origin": origin}) as held:
        held.receive_text()


def test_its_own_origin_comes_in() -> None:
    assert client().get("/", headers={"Origin": "http://127.0.0.1:8501"}).text == "in"
    with client().websocket_connect(
        "/stream", headers={"Origin": "http://127.0.0.1:8501", "Host": "127.0.0.1:8501"}
    ) as held:
        assert held.receive_text() == "in"


def test_elsewhere_a_token_is_asked_for_once() -> None:
    elsewhere = client("0.0.0.0", "secret", "http://desk.example:8501")
    assert elsewhere.get("/").status_code == 401
    assert elsewhere.get("/?token=wrong").status_code == 401
    entered = elsewhere.get("/?token=secret", follow_redirects=False)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    kept = entered.headers["set-cookie"].lower()
    assert "httponly" in kept
    assert "samesite=strict" in kept
    assert elsewhere.get("/").text == "in"
    with elsewhere.websocket_connect("/stream", headers={"Cookie": f"{COOKIE}=secret"}) as held:
        assert held.receive_text() == "in"
    with (
        pytest.raises(WebSocketDisconnect),
        elsewhere.websocket_connect("/stream?token=secret", headers={"Cookie": ""}) as held,
    ):
        held.receive_text()


def test_a_browser_may_ask_nobody_else() -> None:
    policy = client().get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
    assert client().get("/").headers["referrer-policy"] == "no-referrer"
