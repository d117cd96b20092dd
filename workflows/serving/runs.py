"""Runs over HTTP: create, look at, follow as server-sent events, read the report, revise, cancel."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from palimpsest.workflows.errors import ResearchError, RetrievalError
from palimpsest.workflows.jobs import Jobs
from palimpsest.workflows.runs import Run

from .guard import refusal

STEP = 0.2  # seconds between two looks at a log
PATHS = ("/v1/runs", "/v1/runs/{run}", "/v1/runs/{run}/events", "/v1/runs/{run}/report", "/v1/runs/{run}/revise")


class Question(BaseModel):
    """A question, and what of the settings may be chosen over a wire."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=10_000)
    effort: int | None = Field(default=None, ge=1, le=5)
    budget: str | None = Field(default=None, description='a time such as "90s" or "5m"')
    seed: int | None = None
    web: str | None = Field(default=None, description="services, of those that the server allows")
    since: int | None = None
    type: str | None = None


class Revision(BaseModel):
    """Spans to open again and spans that must not change, by id."""

    model_config = ConfigDict(extra="forbid")

    reopen: tuple[str, ...] = ()
    pin: tuple[str, ...] = ()


class RunStatus(BaseModel):
    """Where a run stands. `status` is waiting, running, done, cancelled or failed; `problem` says why it failed."""

    run: str
    question: str
    status: str
    versions: int
    problem: str = ""


Statuses = dict[int | str, dict[str, Any]]
UNKNOWN: Statuses = {404: {"description": "There is no such run"}}
NO_REPORT: Statuses = {409: {"description": "There is no report yet"}}


class Log(StreamingResponse):
    media_type = "text/event-stream"


class Markdown(PlainTextResponse):
    media_type = "text/markdown"


def router(jobs: Jobs) -> APIRouter:
    """The endpoints over one set of jobs."""
    made = APIRouter(tags=["runs"])

    @made.post("/v1/runs", status_code=201, response_model=RunStatus)
    async def create(asked: Question) -> Any:
        """Begin a run; it goes on by itself. Refused when its question, settings or documents cannot be used."""
        try:
            job = jobs.start(asked.question, asked.model_dump(exclude={"question"}))
        except (ResearchError, RetrievalError) as error:
            return _refused(error)
        await anyio.to_thread.run_sync(job.begun.wait, abandon_on_cancel=True)
        if job.run is None:
            return refusal(422, job.problem or "the run could not be begun", "invalid_request")
        return _status(jobs, job.run)

    @made.get("/v1/runs", response_model=list[RunStatus])
    async def every() -> list[RunStatus]:
        """The runs there are, the oldest first."""
        return await anyio.to_thread.run_sync(lambda: [_status(jobs, run) for run in Run.all(jobs.config.out)])

    @made.get("/v1/runs/{run}", response_model=RunStatus, responses=UNKNOWN)
    async def one(run: str) -> Any:
        found = _found(jobs, run)
        return found if isinstance(found, Response) else _status(jobs, found)

    @made.delete("/v1/runs/{run}", response_model=RunStatus, responses=UNKNOWN)
    async def cancel(run: str) -> Any:
        """Stop a run after the event under way; it can be resumed."""
        found = _found(jobs, run)
        if isinstance(found, Response):
            return found
        job = jobs.by_run.get(found.folder.name)
        if job is not None:
            job.cancel()
            await anyio.to_thread.run_sync(job.over.wait, abandon_on_cancel=True)
        return _status(jobs, found)

    @made.get("/v1/runs/{run}/report", response_class=Markdown, responses=UNKNOWN | NO_REPORT)
    async def report(run: str) -> Response:
        """The newest report, in Markdown."""
        found = _found(jobs, run)
        if isinstance(found, Response):
            return found
        if not found.report.exists():
            return refusal(409, f"{found.folder.name} has no report yet", "not_finished")
        return Markdown(found.report.read_text(encoding="utf-8"))

    @made.get("/v1/runs/{run}/events", response_class=Log, responses=UNKNOWN)
    async def events(request: Request, run: str, last_event_id: str | None = Header(default=None)) -> Response:
        """The log of a run as server-sent events, from after Last-Event-ID on, until the run stands still."""
        found = _found(jobs, run)
        if isinstance(found, Response):
            return found
        after = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else 0
        return Log(_log(jobs, found, after, request))

    @made.post("/v1/runs/{run}/revise", status_code=202, response_model=RunStatus, responses=UNKNOWN)
    async def revise(run: str, asked: Revision) -> Any:
        """Write the next version of a finished report."""
        found = _found(jobs, run)
        if isinstance(found, Response):
            return found
        try:
            await anyio.to_thread.run_sync(lambda: jobs.revise(found, asked.reopen, asked.pin))
        except (ResearchError, RetrievalError) as error:
            return _refused(error)
        return _status(jobs, found)

    return made


def _found(jobs: Jobs, run: str) -> Run | JSONResponse:
    """A run by its id; nothing that is not one reaches a path."""
    known = next((held for held in Run.all(jobs.config.out) if held.folder.name == run), None)
    return known or refusal(404, f"there is no run {run[:100]!r}", "not_found")


def _refused(error: Exception) -> JSONResponse:
    return refusal(422, str(error), "invalid_request")


def _status(jobs: Jobs, run: Run) -> RunStatus:
    record, job = run.record(), jobs.by_run.get(run.folder.name)
    status = job.status if job else "done" if record.current.done else "cancelled"
    return RunStatus(
        run=run.folder.name,
        question=record.question,
        status=status,
        versions=len(record.versions),
        problem=job.problem if job else "",
    )


async def _log(jobs: Jobs, run: Run, after: int, request: Request) -> AsyncIterator[str]:
    """Events as they are written. Their ids count from 1 over all versions, so that a client goes on where it was cut off."""
    sent = after
    while not await request.is_disconnected():
        job = jobs.by_run.get(run.folder.name)
        over = job is None or job.over.is_set()
        for number, event in enumerate(run.events()[sent:], sent + 1):
            sent = number
            yield f"id: {number}\nevent: {event['kind']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
        if over:
            return
        await asyncio.sleep(STEP)
