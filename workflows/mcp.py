"""`research mcp`: the program as tools for other programs, over the Model Context Protocol.

Tools: research, ask, search, verify. Resources: the runs, and each one's report and sources. What a client may choose is what a
request over HTTP may choose (`jobs.ALLOWED`); documents, model and services are those of whoever started the server.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel

from . import audit, jobs
from .config import Config
from .errors import ResearchError, RetrievalError
from .runs import Run

STEP = 0.1  # seconds between two looks at a run


class Report(BaseModel):
    """A finished report and where it lies."""

    run: str
    report: str
    asked: dict[str, dict[str, int]]
    stopped: str = ""


class Passages(BaseModel):
    passages: list[dict[str, Any]]


class Verification(BaseModel):
    """`problems` is empty when every quotation, offset, hash and citation holds."""

    run: str
    problems: list[str]


def server(config: Config) -> MCPServer:
    """The server over these settings. Runs go on one after another; a cancelled one can be resumed."""
    held = jobs.Jobs(config)
    made = MCPServer("palimpsest", version=version("palimpsest-research"), log_level="WARNING")
    _tools(made, held)
    _resources(made, held)
    return made


def _tools(made: MCPServer, held: jobs.Jobs) -> None:
    @made.tool()
    async def research(
        question: str, ctx: Context, effort: int | None = None, budget: str | None = None, web: str | None = None
    ) -> Report:
        """Answer a question with a cited report. `budget` is a time such as 90s or 5m; `web` names services that are allowed here."""
        with _sentences():
            job = held.start(question, {"effort": effort, "budget": budget, "web": web})
        return await _followed(job, ctx)

    @made.tool()
    async def ask(run: str, question: str, ctx: Context, budget: str | None = None) -> Report:
        """A follow-up question, answered from the sources of a run alone."""
        with _sentences():
            found = held.find(run)
            texts = [found.text_file(source.id) for source in found.sources()]
            if not texts:
                raise ResearchError(f"{found.folder.name} has no sources to answer from")
            job = held.start(question, {"budget": budget}, docs=tuple(path.resolve() for path in texts))
        return await _followed(job, ctx)

    @made.tool()
    async def search(query: str, k: int = 5) -> Passages:
        """The best passages for a query out of the documents and services that this server may read."""

        def found() -> list[dict[str, Any]]:
            with _sentences():
                return jobs.search(held.config, query, min(max(k, 1), 50))

        return Passages(passages=await anyio.to_thread.run_sync(found))

    @made.tool()
    async def verify(run: str) -> Verification:
        """Check every quotation, offset, hash and citation of a run again, offline."""

        def checked() -> Verification:
            with _sentences():
                found = held.find(run)
                return Verification(run=found.folder.name, problems=audit.verify(found))

        return await anyio.to_thread.run_sync(checked)


async def _followed(job: jobs.Job, ctx: Context) -> Report:
    """The report of a run; its events are told as progress. Whoever cancels the request stops the run."""
    sent = 0
    try:
        while not job.over.is_set() or sent < len(job.events):
            for event in job.events[sent:]:
                sent += 1
                await ctx.report_progress(sent, message=f"{event.step}: {event.text}"[:300])
            await anyio.sleep(STEP)
    finally:
        job.cancel()
    if job.status != "done" or job.run is None:
        raise ToolError(job.problem or "the run was stopped; nothing is lost")
    last = job.events[-1].data
    report = job.run.report.read_text(encoding="utf-8")
    return Report(
        run=job.run.folder.name, report=report, asked=last.get("asked", {}), stopped=str(last.get("stopped") or "")
    )


def _resources(made: MCPServer, held: jobs.Jobs) -> None:
    @made.resource("runs://all", mime_type="application/json")
    def runs() -> str:
        """Every run: its id and question."""
        found = Run.all(held.config.out)
        return json.dumps([{"run": r.folder.name, "question": r.record().question} for r in found], ensure_ascii=False)

    @made.resource("runs://{run}/report", mime_type="text/markdown")
    def report(run: str) -> str:
        """The newest report of a run."""
        with _sentences():
            found = held.find(run)
            if not found.report.exists():
                raise ResearchError(f"{found.folder.name} has no report yet")
            return found.report.read_text(encoding="utf-8")

    @made.resource("runs://{run}/sources", mime_type="application/json")
    def sources(run: str) -> str:
        """The sources of a run, as records."""
        with _sentences():
            rows = [source.model_dump(mode="json") for source in held.find(run).sources()]
        return json.dumps(rows, ensure_ascii=False)


class _sentences:
    """What is wrong with a request is told to the client in the sentence that the command would print."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ResearchError | RetrievalError):
            raise ToolError(str(error)) from error
