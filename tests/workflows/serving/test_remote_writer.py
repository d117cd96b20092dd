"""The writer that is elsewhere: it waits for a busy server, and says in a sentence what is wrong with one."""

from __future__ import annotations

import httpx
import pytest

from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.serving.remote_writer import LONGEST_WAIT, PATIENCE, RemoteWriter

HEALTH = httpx.Response(200, json={"model": "m"})


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds: list[float] = []
    monkeypatch.setattr("palimpsest.workflows.serving.remote_writer.time.sleep", seconds.append)
    return seconds


def test_a_busy_server_is_asked_again_when_it_says(waited: list[float]) -> None:
    answers = [
        httpx.Response(429, headers={"Retry-After": "2"}),
        httpx.Response(503),
        httpx.Response(429, headers={"Retry-After": "100000"}),
        httpx.Response(429, headers={"Retry-After": "Thu, 26 Nov 2026 03:00:00 GMT"}),
        HEALTH,
    ]
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    assert RemoteWriter("http://server", None, transport).name == "m"
    assert waited == [2.0, 2.0, LONGEST_WAIT, 8.0]


def test_patience_ends(waited: list[float]) -> None:
    busy = httpx.MockTransport(lambda request: httpx.Response(429, json={"error": {"message": "come again"}}))
    with pytest.raises(ResearchError, match="http://server refused: come again"):
        RemoteWriter("http://server", None, busy)
    assert PATIENCE <= sum(waited) <= PATIENCE + LONGEST_WAIT


def test_no_server_is_one_sentence() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(ResearchError, match=r"http://server cannot be reached .connection refused.; start it with"):
        RemoteWriter("http://server", None, httpx.MockTransport(refuse))
    with pytest.raises(ResearchError, match="is no model server"):
        RemoteWriter("http://server", None, httpx.MockTransport(lambda request: httpx.Response(200, text="<html>")))
