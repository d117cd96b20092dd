"""Runs over HTTP with a real client and a real socket: created, followed with Last-Event-ID, read, revised, cancelled."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from httpx_sse import connect_sse
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from palimpsest.workflows.config import Config
from palimpsest.workflows.jobs import Jobs
from palimpsest.workflows.serving.description import describe
from palimpsest.workflows.serving.runs import router
from tests.workflows import scripted


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    scripted.use(monkeypatch.setattr)
    docs = scripted.lay_documents(tmp_path / "docs")
    jobs = Jobs(Config(docs=(docs,), out=tmp_path / "runs", index=tmp_path / "index", effort=1))
    app = FastAPI()
    app.include_router(router(jobs))
    describe(app)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as made:
        yield made
    jobs.close()
    server.should_exit = True
    thread.join()


def begun(client: httpx.Client, **more: Any) -> str:
    answer = client.post("/v1/runs", json={"question": scripted.QUESTION, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["run"])


def stream(client: httpx.Client, run: str, after: int | None = None) -> list[tuple[int, str, dict[str, Any]]]:
    """Events as a client of server-sent events reads them."""
    headers = {"Last-Event-ID": str(after)} if after is not None else {}
    with connect_sse(client, "GET", f"/v1/runs/{run}/events", headers=headers) as source:
        return [(int(event.id), event.event, event.json()) for event in source.iter_sse()]


def finished(client: httpx.Client) -> str:
    run = begun(client)
    stream(client, run)
    return run


def test_a_run_is_created_followed_and_read(client: httpx.Client) -> None:
    run = begun(client, budget="5m")
    found = stream(client, run)
    assert [number for number, _, _ in found] == list(range(1, len(found) + 1))
    assert found[0][1] == "planned"
    assert client.get(f"/v1/runs/{run}").json()["status"] == "done"
    assert [row["run"] for row in client.get("/v1/runs").json()] == [run]
    report = client.get(f"/v1/runs/{run}/report")
    assert report.headers["content-type"].startswith("text/markdown")
    assert scripted.QUESTION in report.text


def test_a_client_that_was_cut_off_goes_on_where_it_was(client: httpx.Client) -> None:
    run = finished(client)
    whole = stream(client, run)
    assert stream(client, run, after=3) == whole[3:]
    assert stream(client, run, after=len(whole)) == []
    assert len(stream(client, run, after=-1)) == len(whole)


def test_a_report_is_revised(client: httpx.Client) -> None:
    run = finished(client)
    refused = client.post(f"/v1/runs/{run}/revise", json={"reopen": ["no-such-span"]})
    assert refused.status_code == 422
    assert "no-such-span" in refused.json()["error"]["message"]
    assert client.post(f"/v1/runs/{run}/revise", json={"pin": ["q1.answer"]}).status_code == 202
    stream(client, run)
    assert (
        client.get(f"/v1/runs/{run}").json() | {"status": "done", "versions": 2} == client.get(f"/v1/runs/{run}").json()
    )


def test_a_run_is_cancelled(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    real = scripted.PatternWriter.verdicts

    def slowly(self: Any, pairs: Any) -> Any:
        time.sleep(0.3)
        return real(self, pairs)

    monkeypatch.setattr(scripted.PatternWriter, "verdicts", slowly)
    run = begun(client)
    assert client.delete(f"/v1/runs/{run}").json()["status"] == "cancelled"
    assert client.get(f"/v1/runs/{run}/report").status_code == 409


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"question": "   "}, "the question is empty"),
        ({"question": "Who?", "budget": "soon"}, "no length of time"),
        ({"question": "Who?", "web": "all"}, "may not be asked"),
        ({"question": "Who?", "docs": ["/etc"]}, "docs"),
        ({"question": "Who?", "effort": 7}, "effort"),
        ({}, "question"),
    ],
)
def test_what_cannot_be_begun_is_refused(client: httpx.Client, body: dict[str, Any], sentence: str) -> None:
    answer = client.post("/v1/runs", json=body)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert client.get("/v1/runs").json() == []


@pytest.mark.parametrize("run", ["none", "..", "%2e%2e%2f%2e%2e", "last"])
def test_nothing_that_is_no_run_reaches_a_path(client: httpx.Client, run: str) -> None:
    for path in (f"/v1/runs/{run}", f"/v1/runs/{run}/report", f"/v1/runs/{run}/events"):
        assert client.get(path).status_code == 404


def test_openapi_names_every_endpoint_and_its_answers(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        "/v1/runs", "/v1/runs/{run}", "/v1/runs/{run}/report", "/v1/runs/{run}/events", "/v1/runs/{run}/revise",
    }  # fmt: skip
    assert described["paths"]["/v1/runs"]["post"]["responses"].keys() >= {"201", "422"}
    assert "RunStatus" in described["components"]["schemas"]
    assert "HTTPValidationError" not in json.dumps(described)


def test_openapi_is_valid_and_answers_are_what_it_says(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    validate(described)
    run = finished(client)
    asked = {
        ("post", "/v1/runs", 422): client.post("/v1/runs", json={"question": " "}),
        ("get", "/v1/runs", 200): client.get("/v1/runs"),
        ("get", "/v1/runs/{run}", 200): client.get(f"/v1/runs/{run}"),
        ("get", "/v1/runs/{run}", 404): client.get("/v1/runs/none"),
        ("get", "/v1/runs/{run}/report", 200): client.get(f"/v1/runs/{run}/report"),
        ("get", "/v1/runs/{run}/report", 404): client.get("/v1/runs/none/report"),
        ("get", "/v1/runs/{run}/events", 404): client.get("/v1/runs/none/events"),
        ("post", "/v1/runs/{run}/revise", 422): client.post(f"/v1/runs/{run}/revise", json={"reopen": ["no"]}),
        ("post", "/v1/runs/{run}/revise", 404): client.post("/v1/runs/none/revise", json={}),
        ("delete", "/v1/runs/{run}", 200): client.delete(f"/v1/runs/{run}"),
        ("post", "/v1/runs", 201): client.post("/v1/runs", json={"question": scripted.QUESTION}),
    }
    for (method, path, status), answer in asked.items():
        answers = described["paths"][path][method]["responses"]
        assert answer.status_code == status, (method, path, answer.text)
        assert str(status) in answers, f"{method} {path} answers {status}, which is not described"
        kind = answer.headers["content-type"].partition(";")[0]
        assert kind in answers[str(status)]["content"], f"{method} {path} {status} sends {kind}"
        if kind == "application/json":
            schema = answers[str(status)]["content"][kind]["schema"]
            Draft202012Validator({**schema, "components": described["components"]}).validate(answer.json())
