"""The load that a server is measured under: it asks what it says, and finds what takes long and what is refused."""

from __future__ import annotations

import json
import time
from functools import partial
from itertools import count

import httpx
import pytest

from palimpsest.retrieval.http import operator
from palimpsest.workflows.serving.load import body, main, measure
from palimpsest.workflows.serving.wire import Revise


def test_what_is_asked_is_a_request() -> None:
    asked = Revise(**body(900))
    assert [len(p.text) for p in asked.passages] == [900, 900, 900]


def test_what_is_slow_and_what_is_refused_is_found() -> None:
    asked = count(1)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/health":
            time.sleep(0.2)
            return httpx.Response(200, json={})
        busy = next(asked) > 11
        time.sleep(0.05)
        return httpx.Response(429 if busy else 200, json={})

    with httpx.Client(base_url="http://server", transport=httpx.MockTransport(answer)) as client:
        found = measure(client, body(10), requests=6, clients=3)
    assert next(asked) == 14  # one to warm up, six alone, six at once
    assert found.refused == 2
    assert found.alone >= 0.05
    assert found.health >= 0.2


def test_it_is_printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content or b"{}"))
        return httpx.Response(200, json={})

    served = partial(operator.client, below=httpx.MockTransport(answer))
    monkeypatch.setattr("palimpsest.workflows.serving.load.operator.client", served)
    main(["--letters", "50", "--requests", "2", "--clients", "2"])
    assert "0 refused" in capsys.readouterr().out
    assert len(seen[0]["passages"][0]["text"]) == 50
