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
import uvicorn
from fastapi import FastAPI
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.denoisers import embedded_weights
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.models.embedded import EmbeddedConfig, EmbeddedModel
from palimpsest.dlm_core.training.minilm import package_folder
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.serving import server
from palimpsest.workflows.serving.remote_writer import RemoteWriter
from palimpsest.workflows.serving.server import application

from ...agent.world import Shelf, passage, research
from ...dlm_core.models.checkpoints import write
from .world import PASSAGES, REVISE, Held, InProcess, client

KNOTS = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01")
OAK = passage("Pietro Canale built the Marisa of oak in 1901.", "Builders", "2020")
SOURCE = KNOTS.model_dump(mode="json")
WRITING = {
    "/v1/answers": {"question": "How fast?", "kind": "NUMBER", "passages": [SOURCE], "k": 3},
    "/v1/choose": {"question": "How fast?", "kind": "NUMBER", "passages": [SOURCE]},
    "/v1/verdicts": {"pairs": [["It is fast.", KNOTS.text]]},
    "/v1/fill": {"forms": [{"pieces": ["It reaches ", {"kind": "NUMBER"}, "."], "passages": [SOURCE]}]},
    "/v1/revise": REVISE,
    "/v1/chat/completions": {
        "messages": [{"role": "system", "content": KNOTS.text}, {"role": "user", "content": "How fast is it?"}]
    },
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(3)
    model = EmbeddedModel(EmbeddedConfig(width=32, layers=2, heads=4, feed_forward=48))
    embedded_weights.save(model, package_folder() / "tokenizer.json", folder, {})
    return folder


@pytest.fixture
def app(small: Path) -> Iterator[FastAPI]:
    made = application(ModelWriter(small), active=4, waiting=2)
    yield made
    made.state.engine.close()


@pytest.fixture
def one(app: FastAPI) -> httpx.Client:
    return client(app)


def events(reply: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_draft_is_revised(one: httpx.Client) -> None:
    reply = one.post("/v1/revise", json=REVISE)
    assert reply.status_code == 200
    (slot,) = reply.json()["slots"]
    assert slot["settled"]
    if slot["passage"]:
        assert PASSAGES[0]["text"][slot["start"] : slot["end"]] == slot["text"]
    frames = events(one.post("/v1/revise", json={**REVISE, "stream": True, "steps": 3}))
    assert [f["step"] for f in frames] == list(range(len(frames)))
    assert frames[-1]["slots"] == reply.json()["slots"]


def test_what_the_agent_asks_is_what_its_writer_says(one: httpx.Client, small: Path) -> None:
    """More passages than fit in one slice, on the wire and cut up by the client too."""
    writer, passages = ModelWriter(small), [KNOTS, OAK] * 40
    remote = RemoteWriter("http://server", None, InProcess(one._transport.app))  # type: ignore[attr-defined]
    for asked in (
        lambda w: w.answers("How fast is the Marisa?", "NUMBER", passages, 2),
        lambda w: w.choose("Who built it?", "ENTITY", [KNOTS, OAK]),
        lambda w: w.verdicts([("It is fast.", p.text) for p in passages]),
        lambda w: w.fill([(["It reaches ", SlotSpec(MaskKind.NUMBER), "."], [p]) for p in passages[:20]]),
        lambda w: w.answers("How fast?", "NUMBER", [], 2),
        lambda w: w.verdicts([]),
        lambda w: w.fill([]),
    ):
        here, there = asked(writer), asked(remote)
        assert _words(there) == _words(here)


def test_a_request_is_drawn_by_its_client_s_seed(one: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each kind of request; one that names no seed is drawn by the server's."""
    seeds: list[int] = []

    def record(name: str) -> None:
        method = getattr(ModelWriter, name)

        def recorded(writer: ModelWriter, *given: Any) -> Any:
            seeds.append(writer.seed)
            return method(writer, *given)

        monkeypatch.setattr(ModelWriter, name, recorded)

    for name in ("answers", "choose", "verdicts", "fill"):
        record(name)
    for seed in (7, None):
        transport = InProcess(one._transport.app)  # type: ignore[attr-defined]
        writer = RemoteWriter("http://server", None, transport, seed)
        writer.answers("How fast is the Marisa?", "NUMBER", [KNOTS], 2)
        writer.choose("Who built it?", "ENTITY", [KNOTS])
        writer.verdicts([("It is fast.", KNOTS.text)])
        writer.fill([(["It reaches ", SlotSpec(MaskKind.NUMBER), "."], [KNOTS])])
    assert seeds == [7, 7, 7, 7, 0, 0, 0, 0]


def _words(found: Any) -> Any:
    """Without probabilities, which differ in the last bits between batches of other sizes."""
    if isinstance(found, list):
        return [_words(f) for f in found]
    fields = found.model_dump(exclude={"probability", "none"})
    return {k: round(v, 3) if isinstance(v, float) else v for k, v in fields.items()}


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/revise", {**REVISE, "question": ""}, "question: String should have at least 1 character"),
        ("/v1/revise", {**REVISE, "draft": ["no slot"]}, "the draft has no slot"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "NOISE"}]}, "draft.0"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "CHOICE"}]}, "allowed answers"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "free": True}]}, "writes no free prose"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "free": True}], "stream": True}, "writes no free prose"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "after": [99]}]}, "slot 0 comes after slot 99"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "after": [0]}]}, "slot 0 comes after slot 0"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT"}, {"kind": "TEXT", "after": [-1]}]}, "after slot -1"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "max_length": 1024}] * 9}, "9216 places together"),
        ("/v1/revise", {**REVISE, "passages": [{"id": "p", "text": "x" * 150_000}] * 3}, "450018 letters together"),
        ("/v1/revise", {**REVISE, "colour": "red"}, "colour: Extra inputs are not permitted"),
        ("/v1/revise", {**REVISE, "steps": 0}, "steps"),
        ("/v1/revise", {**REVISE, "seed": 2**70}, "seed"),
        ("/v1/revise", {**REVISE, "draft": [{"kind": "TEXT", "max_length": 400}]}, "does not fit"),
        ("/v1/chat/completions", {"messages": []}, "messages"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]}, "as a system message"),
        ("/v1/chat/completions", {"messages": [{"role": "assistant", "content": "Hi"}]}, "the last one must be"),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "x" * 300_000}] * 2}, "600000 letters"),
        ("/v1/verdicts", {"pairs": [["one"]]}, "pairs"),
        ("/v1/fill", {"forms": [{"pieces": [{"kind": "TEXT", "after": [1]}], "passages": []}]}, "after slot 1"),
        ("/v1/fill", {"forms": [{"pieces": [], "passages": []}]}, "no slot"),
        ("/v1/answers", {**WRITING["/v1/answers"], "kind": "CHOICE"}, "allowed answers"),
        ("/v1/choose", {**WRITING["/v1/choose"], "kind": "FIXED"}, "cannot be FIXED"),
    ],
)  # fmt: skip
def test_a_bad_request_gets_a_sentence(one: httpx.Client, path: str, body: Any, said: str) -> None:
    reply = one.post(path, json=body)
    assert reply.status_code == 422
    assert said in reply.json()["error"]["message"]
    assert "\n" not in reply.json()["error"]["message"]
    assert one.post("/v1/revise", json=REVISE).status_code == 200


DEEP = b'{"question": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'{"a": "\xff"}', DEEP, b'{"seed": ' + b"9" * 5000 + b"}"])
@pytest.mark.parametrize("path", WRITING)
def test_what_is_no_request_gets_a_sentence(one: httpx.Client, path: str, body: bytes) -> None:
    reply = one.post(path, content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == 422
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("path", WRITING)
def test_numbers_and_letters_of_no_kind(one: httpx.Client, path: str) -> None:
    """NaN, infinity, half a letter and a NUL, wherever a body holds a number or a string: an answer or a sentence, never a 500."""
    body = json.dumps(WRITING[path])
    for old, new in (('"How fast', '"\\ud800 How'), (": 3", ": NaN"), (": 3", ": 1e999"), ('"Barges', '"\\u0000 B')):
        reply = one.post(path, content=body.replace(old, new), headers={"Content-Type": "application/json"})
        assert reply.status_code in (200, 422)


def test_chat_copies_its_answer_from_the_system_message(one: httpx.Client) -> None:
    text = "The barge Marisa of Orta reached 12 knots."
    messages = [{"role": "system", "content": text}, {"role": "user", "content": "How fast is the barge?"}]
    reply = one.post("/v1/chat/completions", json={"messages": messages, "temperature": 0.2, "model": "any"}).json()
    answer, usage = reply["choices"][0]["message"]["content"], reply["usage"]
    assert answer in text or answer == "[NONE]"
    assert 0 < usage["completion_tokens"] <= 16 < usage["prompt_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    deltas = events(one.post("/v1/chat/completions", json={"messages": messages, "stream": True}))
    assert "".join(d["choices"][0]["delta"].get("content", "") for d in deltas) == answer
    assert deltas[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_hosted_model_writes_prose(tmp_path: Path) -> None:
    app = application(ModelWriter(write("llada", tmp_path / "llada")))
    try:
        body = {"messages": [{"role": "user", "content": "Write."}], "max_tokens": 12}
        reply = client(app).post("/v1/chat/completions", json=body).json()
        assert 0 < reply["usage"]["completion_tokens"] <= 12
        assert reply["usage"]["prompt_tokens"] > 0
        deltas = events(client(app).post("/v1/chat/completions", json={**body, "stream": True}))
        sent = "".join(d["choices"][0]["delta"].get("content", "") for d in deltas)
        assert sent == reply["choices"][0]["message"]["content"]
        assert len(deltas) > 2
    finally:
        app.state.engine.close()


def test_prose_is_composed_for_whoever_asks_and_not_by_a_model_that_copies(tmp_path: Path, one: httpx.Client) -> None:
    writer = ModelWriter(write("llada", tmp_path / "llada"))
    app = application(writer)
    try:
        remote = RemoteWriter("http://server", None, InProcess(app))
        form = ["Lake Orta", SlotSpec(MaskKind.TEXT, 5, free=True), " 12 knots [1]."]
        assert remote.writes_prose
        assert remote.compose([(form, [KNOTS])] * 2) == writer.compose([(form, [KNOTS])] * 2)
    finally:
        app.state.engine.close()
    body = {"forms": [{"pieces": ["It reaches ", {"kind": "TEXT", "free": True}], "passages": [SOURCE]}]}
    assert one.post("/v1/compose", json=body).status_code == 422


def test_facts(one: httpx.Client, small: Path) -> None:
    assert one.get("/health").json() == {"status": "ok", "model": small.name, "writes_prose": False}
    assert one.get("/v1/models").json()["data"][0]["id"] == small.name
    reply = one.get("/v1/nothing")
    assert (reply.status_code, reply.json()["error"]["message"]) == (404, "/v1/nothing: Not Found")
    assert one.get("/v1/revise").status_code == 405


def test_prometheus_reads_requests_queue_tokens_latency_and_refusals(one: httpx.Client) -> None:
    one.post("/v1/revise", json=REVISE)
    one.post("/v1/revise", json={**REVISE, "steps": 0})
    one.get("/some/path")
    found = dict(line.rsplit(" ", 1) for line in one.get("/metrics").text.splitlines() if line[0] != "#")
    assert found['palimpsest_requests_total{endpoint="/v1/revise",status="200"}'] == "1.0"
    assert found['palimpsest_requests_total{endpoint="other",status="404"}'] == "1.0"
    assert found['palimpsest_refusals_total{reason="invalid"}'] == "1.0"
    assert found['palimpsest_refusals_total{reason="overloaded"}'] == "0.0"
    assert found['palimpsest_request_latency_seconds_count{endpoint="/v1/revise"}'] == "2.0"
    assert found['palimpsest_jobs_total{end="done"}'] == "1.0"
    assert found["palimpsest_queue_active"] == found["palimpsest_queue_waiting"] == "0.0"
    assert float(found['palimpsest_tokens_total{from="model"}']) > 10
    assert found["palimpsest_requests_in_flight"] == "1.0"  # this one


def test_an_engine_that_fails_is_said_so_and_goes_on(app: FastAPI) -> None:
    guess, app.state.engine.model.guess = app.state.engine.model.guess, lambda *args: 1 / 0
    reply = client(app).post("/v1/revise", json=REVISE)
    assert (reply.status_code, reply.json()["error"]["type"]) == (500, "server_error")
    app.state.engine.model.guess = guess
    assert client(app).post("/v1/revise", json=REVISE).status_code == 200


@pytest.mark.parametrize("path", WRITING)
def test_words_become_tokens_on_the_engines_thread(app: FastAPI, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never on the event loop, where everybody would wait for them."""
    denoiser, threads = app.state.engine.model, set()

    def noted(real: Any) -> Any:
        def called(*args: Any) -> Any:
            threads.add(threading.current_thread().name)
            return real(*args)

        return called

    for name in ("encode", "decode"):
        monkeypatch.setattr(denoiser.tokenizer, name, noted(getattr(denoiser.tokenizer, name)))
    assert client(app).post(path, json=WRITING[path]).status_code == 200
    assert threads == {"denoising engine"}


@pytest.mark.parametrize("path", WRITING)
def test_every_endpoint_waits_in_the_one_line(app: FastAPI, path: str) -> None:
    """Four may share a step and two may wait: the seventh of any kind is told when to come again, and nobody is lost."""
    held, replies = Held(app), []

    def ask(what: str) -> None:
        with client(app) as mine:
            replies.append(mine.post(what, json=WRITING[what]))

    threads = [threading.Thread(target=ask, args=("/v1/revise",)) for _ in range(6)]
    threads[0].start()
    assert held.asked.acquire(timeout=60)
    for thread in threads[1:]:
        thread.start()
    while sum(app.state.engine.load) < 6:
        time.sleep(0.01)
    refused = client(app).post(path, json=WRITING[path])
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert client(app).get("/health").status_code == 200
    held.let()
    for thread in threads:
        thread.join(60)
    assert [r.status_code for r in replies] == [200] * 6
    assert client(app).post(path, json=WRITING[path]).status_code == 200


def test_a_client_with_few_requests_is_let_in_before_one_with_many(app: FastAPI) -> None:
    held, statuses = Held(app), []

    def ask(address: str) -> None:
        with client(app, address) as mine:
            statuses.append((address, mine.post("/v1/revise", json=REVISE).status_code))

    many = [threading.Thread(target=ask, args=("192.0.2.1",)) for _ in range(6)]
    many[0].start()
    assert held.asked.acquire(timeout=60)
    for thread in many[1:]:
        thread.start()
    while sum(app.state.engine.load) < 6:
        time.sleep(0.01)
    few = threading.Thread(target=ask, args=("192.0.2.7",))
    few.start()
    while not statuses:
        time.sleep(0.01)
    held.let()
    for thread in (*many, few):
        thread.join(60)
    assert statuses[0] == ("192.0.2.1", 429)
    assert statuses.count(("192.0.2.1", 200)) == 5
    assert ("192.0.2.7", 200) in statuses


def test_health_is_answered_while_everybody_waits(small: Path) -> None:
    """Over a real socket, with the default settings: 100 requests in flight, and a model that does not move."""
    app = application(ModelWriter(small))
    held = Held(app)
    with server.listen("127.0.0.1", 0) as listener:
        running = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
        thread.start()
        url, port, statuses = server.address_of(listener), listener.getsockname()[1], []

        def ask() -> None:
            statuses.append(httpx.post(f"{url}/v1/revise", json=REVISE, timeout=120).status_code)

        asking = [threading.Thread(target=ask) for _ in range(100)]
        for each in asking:
            each.start()
        while len(statuses) < 20:  # 16 and 64 are let in
            time.sleep(0.01)
        assert set(statuses) == {429}
        assert httpx.get(f"{url}/health", timeout=30).status_code == 200
        assert "palimpsest_queue_waiting 64.0" in httpx.get(f"{url}/metrics", timeout=30).text
        held.let()
        for each in asking:
            each.join(120)
        assert statuses.count(200) == 80
        with pytest.raises(ResearchError, match=r"cannot be listened on .* choose another with --port"):
            server.listen("127.0.0.1", port)
        running.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.parametrize(("path", "stream"), [("/v1/revise", False), ("/v1/revise", True), ("/v1/fill", False)])
def test_a_killed_client_frees_its_place(app: FastAPI, path: str, stream: bool) -> None:
    """The client's connection breaks while its canvas is in a step: the job is cancelled, and the place is free."""
    held = Held(app)
    slots = [{"kind": "TEXT"}, " ", {"kind": "NUMBER"}, " ", {"kind": "CITE"}]  # above 1 settles one of them a step
    asked = {
        "/v1/revise": {**REVISE, "draft": slots, "stream": stream, "steps": 50, "value": 2.0},
        "/v1/fill": {"forms": WRITING["/v1/fill"]["forms"] * 40},  # type: ignore[operator]
    }
    body = json.dumps(asked[path]).encode()
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
    scope |= {"http_version": "1.1", "scheme": "http", "raw_path": path.encode(), "root_path": ""}
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
    assert held.asked.acquire(timeout=60)
    gone.set()
    thread.join(60)  # it need not wait for the step to end
    assert not thread.is_alive()
    assert app.state.engine.load == (0, 0)
    held.let()
    assert client(app).post("/v1/revise", json=REVISE).status_code == 200
    assert app.state.engine.counters.cancelled == 1
    assert held.asked._value < 10  # of 40 forms, or 50 steps: one and what the last request took


def test_a_run_over_http_writes_the_same_report(app: FastAPI, small: Path) -> None:
    question = "How many knots does the Marisa reach, and who built it?"
    here = research(question, ModelWriter(small), Shelf(KNOTS, OAK), rounds=2)[1]  # type: ignore[arg-type]
    writer = RemoteWriter("http://server", None, InProcess(app))
    there = research(question, writer, Shelf(KNOTS, OAK), rounds=2)[1]  # type: ignore[arg-type]
    assert there.draft == here.draft


def test_openapi_is_valid_and_refusals_are_what_it_says(small: Path) -> None:
    """The whole server, with a token: every operation is described with its refusals, and each that is asked for has that shape."""
    made = application(ModelWriter(small), token="t0ken")
    asked = client(made)
    own = {"Authorization": "Bearer t0ken"}
    described = asked.get("/openapi.json", headers=own).json()
    validate(described)
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    answers = {
        ("get", "/health", 200): asked.get("/health"),
        ("get", "/v1/models", 401): asked.get("/v1/models"),
        ("get", "/v1/models", 200): asked.get("/v1/models", headers=own),
        ("post", "/v1/revise", 422): asked.post("/v1/revise", headers=own, json={"draft": 3}),
        ("post", "/v1/revise", 411): asked.post("/v1/revise", headers=own, content=iter([b"{}"])),
    }
    for (method, path, status), answer in answers.items():
        assert answer.status_code == status, answer.text
        description = described["paths"][path][method]
        assert ("security" in description) is (path != "/health")
        schema = description["responses"][str(status)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": described["components"]}).validate(answer.json())
    made.state.engine.close()
