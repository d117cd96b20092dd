"""The server with a tiny model, in process: what it answers, what it refuses, and that whoever goes away frees the place."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import torch
from fastapi import FastAPI

from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.models.embedded import EmbeddedConfig, EmbeddedModel
from palimpsest.dlm_core.training.minilm import package_folder
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.serving.remote_writer import RemoteWriter
from palimpsest.workflows.serving.server import application

from ...agent.world import Shelf, passage, research
from ...dlm_core.models.checkpoints import write

PASSAGES = [{"id": "p0", "text": "The barge Marisa of Orta reached 12 knots in 1901."}]
REVISE = {"question": "How fast?", "passages": PASSAGES, "draft": ["It reached ", {"kind": "NUMBER"}, " knots."]}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    model = EmbeddedModel(EmbeddedConfig(width=32, layers=2, heads=4, feed_forward=48))
    embedded_weights.save(model, package_folder() / "tokenizer.json", folder, {})
    return folder


class InProcess(httpx.BaseTransport):
    """An ASGI application behind httpx's blocking client."""

    def __init__(self, app: FastAPI):
        self.app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        inner = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        if "transfer-encoding" in request.headers:
            inner.headers.pop("content-length", None)

        async def ask() -> httpx.Response:
            told = await httpx.ASGITransport(app=self.app).handle_async_request(inner)
            return httpx.Response(told.status_code, headers=told.headers, content=await told.aread())

        return anyio.run(ask)


@pytest.fixture
def app(small: Path) -> Iterator[FastAPI]:
    made = application(ModelWriter(small), active=4, waiting=2)
    yield made
    made.state.engine.close()


@pytest.fixture
def client(app: FastAPI) -> httpx.Client:
    return httpx.Client(transport=InProcess(app), base_url="http://server")


def events(told: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in told.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_draft_is_revised(client: httpx.Client) -> None:
    told = client.post("/v1/revise", json=REVISE)
    assert told.status_code == 200
    (slot,) = told.json()["slots"]
    assert slot["settled"]
    if slot["passage"]:
        assert PASSAGES[0]["text"][slot["start"] : slot["end"]] == slot["text"]
    frames = events(client.post("/v1/revise", json={**REVISE, "stream": True, "steps": 3}))
    assert [f["step"] for f in frames] == list(range(len(frames)))
    assert frames[-1]["slots"] == told.json()["slots"]


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/v1/revise", {**REVISE, "question": ""}, 422, "question: String should have at least 1 character"),
        ("/v1/revise", {**REVISE, "draft": ["no slot"]}, 422, "the draft has no slot"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "NOISE"}]}, 422, "draft.0"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "CHOICE"}]}, 422, "allowed answers"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "free": True}]}, 422, "writes no free prose"),
        ("/v1/revise", {**REVISE, "colour": "red"}, 422, "colour: Extra inputs are not permitted"),
        ("/v1/revise", {**REVISE, "steps": 0}, 422, "steps"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "max_length": 300}]}, 422, "does not fit"),
        ("/v1/chat/completions", {"messages": []}, 422, "messages"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, 422, "as a system message"),
        ("/v1/chat/completions", {"messages": [{"role": "assistant", "content": "Hi"}]}, 422, "the last one must be"),
        ("/v1/verdicts", {"pairs": [["one"]]}, 422, "pairs"),
    ],
)
def test_a_bad_request_gets_a_sentence(client: httpx.Client, path: str, body: Any, status: int, said: str) -> None:
    told = client.post(path, json=body)
    assert told.status_code == status
    assert said in told.json()["error"]["message"]
    assert client.post("/v1/revise", json=REVISE).status_code == 200


def test_what_is_no_json_too_long_or_elsewhere(client: httpx.Client) -> None:
    assert client.post("/v1/revise", content=b"{").status_code == 422
    assert client.post("/v1/revise", content=b"x" * (8 * 2**20 + 1)).status_code == 413
    assert client.post("/v1/revise", content=b"{}", headers={"Transfer-Encoding": "chunked"}).status_code == 411
    assert client.get("/v1/nothing").status_code == 404


def test_chat_copies_its_answer_from_the_system_message(client: httpx.Client) -> None:
    text = "The barge Marisa of Orta reached 12 knots."
    messages = [{"role": "system", "content": text}, {"role": "user", "content": "How fast is the barge?"}]
    told = client.post("/v1/chat/completions", json={"messages": messages, "temperature": 0.2, "model": "any"}).json()
    answer = told["choices"][0]["message"]["content"]
    assert answer in text or answer == "[NONE]"
    deltas = events(client.post("/v1/chat/completions", json={"messages": messages, "stream": True}))
    assert "".join(d["choices"][0]["delta"].get("content", "") for d in deltas) == answer
    assert deltas[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_hosted_model_writes_prose(tmp_path: Path) -> None:
    app = application(ModelWriter(write("llada", tmp_path / "llada")))
    try:
        client = httpx.Client(transport=InProcess(app), base_url="http://server")
        body = {"messages": [{"role": "user", "content": "Write."}], "max_tokens": 12}
        told = client.post("/v1/chat/completions", json=body).json()
        assert told["usage"]["completion_tokens"] == 12
        deltas = events(client.post("/v1/chat/completions", json={**body, "stream": True}))
        sent = "".join(d["choices"][0]["delta"].get("content", "") for d in deltas)
        assert sent == told["choices"][0]["message"]["content"]
        assert len(deltas) > 2
    finally:
        app.state.engine.close()


def test_facts(client: httpx.Client, small: Path) -> None:
    client.post("/v1/revise", json=REVISE)
    assert client.get("/health").json() == {"status": "ok", "model": small.name}
    assert client.get("/v1/models").json()["data"][0]["id"] == small.name
    metrics = client.get("/metrics").text
    assert "palimpsest_jobs_done_total 1" in metrics
    assert "palimpsest_jobs_active 0" in metrics


def test_a_token_is_asked_for(small: Path) -> None:
    app = application(ModelWriter(small), token="s3cret")
    try:
        transport = InProcess(app)
        client = httpx.Client(transport=transport, base_url="http://server")
        assert client.get("/health").status_code == 200
        assert client.post("/v1/revise", json=REVISE).status_code == 401
        assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert RemoteWriter("http://server", "s3cret", transport).verdicts([("a", "b")])
        with pytest.raises(ResearchError, match="refused: send the server's token"):
            RemoteWriter("http://server", "wrong", transport).verdicts([("a", "b")])
    finally:
        app.state.engine.close()


class Held:
    """Stops the model before each guess, until it is let."""

    def __init__(self, app: FastAPI):
        self.engine = app.state.engine
        self.guess, self.gate, self.asked = self.engine.model.guess, threading.Semaphore(0), threading.Semaphore(0)
        self.engine.model.guess = self._held

    def _held(self, *args: Any) -> Any:
        self.asked.release()
        assert self.gate.acquire(timeout=20)
        return self.guess(*args)

    def let(self) -> None:
        for _ in range(100):
            self.gate.release()


def test_an_overload_is_429_and_nobody_is_lost(app: FastAPI) -> None:
    held, statuses = Held(app), []

    def ask() -> None:
        with httpx.Client(transport=InProcess(app), base_url="http://server", timeout=30) as mine:
            statuses.append(mine.post("/v1/revise", json=REVISE).status_code)

    first = threading.Thread(target=ask)
    first.start()
    assert held.asked.acquire(timeout=20)
    others = [threading.Thread(target=ask) for _ in range(8)]
    for thread in others:
        thread.start()
    deadline = time.monotonic() + 20
    while len(statuses) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert statuses == [429, 429]  # one is in a step, four may share the next, two may wait
    held.let()
    for thread in (first, *others):
        thread.join(20)
    assert sorted(statuses) == [200] * 7 + [429] * 2


@pytest.mark.parametrize("stream", [False, True])
def test_a_killed_client_frees_its_place(app: FastAPI, stream: bool) -> None:
    """The client's connection breaks while its canvas is in a step: the job is cancelled, and the place is free."""
    held = Held(app)
    slots = [
        {"kind": "TEXT"},
        " ",
        {"kind": "NUMBER"},
        " ",
        {"kind": "CITE"},
    ]  # a value above 1 settles one of them a step
    body = json.dumps({**REVISE, "draft": slots, "stream": stream, "steps": 50, "value": 2.0}).encode()
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/revise", "headers": headers, "query_string": b""}
    scope |= {"http_version": "1.1", "scheme": "http", "raw_path": b"/v1/revise", "root_path": ""}
    scope |= {"server": ("s", 1), "client": ("c", 1), "asgi": {"version": "3.0", "spec_version": "2.3"}}
    sent, gone = [{"type": "http.request", "body": body, "more_body": False}], threading.Event()

    async def receive() -> Any:
        if sent:
            return sent.pop()
        while not gone.is_set():
            await anyio.sleep(0.01)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if gone.is_set():
            raise OSError("the connection is gone")

    def ask() -> None:
        with contextlib.suppress(OSError, BaseExceptionGroup):
            anyio.run(app, scope, receive, send)

    thread = threading.Thread(target=ask)
    thread.start()
    assert held.asked.acquire(timeout=20)
    gone.set()
    time.sleep(0.4)
    held.let()
    thread.join(20)
    deadline = time.monotonic() + 20
    while app.state.engine.counters.cancelled == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert app.state.engine.counters.cancelled == 1
    assert app.state.engine.load == (0, 0)


KNOTS = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01")
OAK = passage("Pietro Canale built the Marisa of oak in 1901.", "Builders", "2020")


def test_a_run_over_http_writes_the_same_report(app: FastAPI, small: Path) -> None:
    question = "How many knots does the Marisa reach, and who built it?"
    here = research(question, ModelWriter(small), Shelf(KNOTS, OAK), rounds=2)[1]  # type: ignore[arg-type]
    writer = RemoteWriter("http://server", None, InProcess(app))
    there = research(question, writer, Shelf(KNOTS, OAK), rounds=2)[1]  # type: ignore[arg-type]
    assert there.draft == here.draft


def test_a_busy_server_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("palimpsest.workflows.serving.remote_writer.time.sleep", waited.append)
    answers = [
        httpx.Response(429, headers={"Retry-After": "2"}),
        httpx.Response(503),
        httpx.Response(200, json={"model": "m"}),
    ]
    transport = httpx.MockTransport(lambda request: answers.pop(0))
    assert RemoteWriter("http://server", None, transport).name == "m"
    assert waited == [2.0, 2.0]


def test_no_server_is_one_sentence() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(ResearchError, match=r"http://server cannot be reached .connection refused.; start it with"):
        RemoteWriter("http://server", None, httpx.MockTransport(refuse))
    with pytest.raises(ResearchError, match="is no model server"):
        RemoteWriter("http://server", None, httpx.MockTransport(lambda request: httpx.Response(200, text="<html>")))
