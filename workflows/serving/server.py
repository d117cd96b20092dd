"""`research serve`: one model over HTTP. Canvases are revised, drafts written and questions judged for many clients at a time.

Every request waits in the one line of the engine, and what is heavy (reading words into tokens, the model, words out of tokens) is
done on the engine's thread; the event loop only parses, waits and answers, so that /health is answered whatever runs.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from palimpsest.agent.state import Candidate, Filled, Verdict
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding import rules
from palimpsest.dlm_core.decoding.sampler import Frame, Plan, Rule, threshold
from palimpsest.dlm_core.serving.engine import Engine
from palimpsest.dlm_core.serving.line import OverloadedError, Ticket

from ..config import Config
from ..errors import FAILED, USAGE, ResearchError
from ..jobs import Jobs
from . import runs
from .chat import canvas_of, chunks, completion, said
from .description import describe
from .guard import Guard, client_of, refusal
from .loopback import is_loopback
from .metrics import Measured, Metrics
from .replies import all_of, events, items_of
from .wire import Answers, Chat, Choose, Drawn, Form, Forms, Revise, Verdicts, slices, specs

ENDPOINTS = (
    "/health", "/metrics", "/v1/models", "/v1/answers", "/v1/choose", "/v1/verdicts", "/v1/fill", "/v1/compose",
    "/v1/revise", "/v1/chat/completions",
)  # fmt: skip
COMMITS: dict[str, Callable[[float], Rule]] = {
    "threshold": threshold,
    "factor": rules.factor,
    "entropy": rules.entropy_bound,
    "margin": rules.margin,
}
CLOSING = 5  # seconds that requests under way have when the server is told to end


def application(
    writer: ModelWriter,
    *,
    active: int = 16,
    waiting: int = 64,
    token: str | None = None,
    hosts: Sequence[str] = (),
    config: Config | None = None,
) -> FastAPI:
    """The server as an ASGI application; it owns the writer's model until it is shut down.

    `hosts` are names by which others than this machine may ask for it on a loopback address: those of a reverse proxy. With `config`
    it also makes runs, with those settings.
    """
    engine = Engine(writer.denoiser, active, waiting)
    jobs = Jobs(config) if config else None
    metrics = Metrics(engine, (*ENDPOINTS, *(runs.PATHS if jobs else ())))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if jobs:
                await anyio.to_thread.run_sync(jobs.close)
            await anyio.to_thread.run_sync(engine.close)

    app = FastAPI(title="Palimpsest", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.engine = engine
    app.add_middleware(Guard, token=token, hosts=hosts, busy=partial(_busy, engine))
    app.add_middleware(Measured, metrics=metrics)
    _errors(app)
    _facts(app, writer, metrics)
    _writing(app, writer, engine)
    _revising(app, writer, engine)
    if jobs:
        app.include_router(runs.router(jobs))
    describe(app, is_guarded=token is not None)
    return app


def _busy(engine: Engine, client: str) -> JSONResponse | None:
    try:
        engine.check_room(client)
    except OverloadedError as error:
        return _overloaded(error)
    return None


def _overloaded(error: OverloadedError) -> JSONResponse:
    return refusal(429, str(error), "overloaded", {"Retry-After": str(round(error.seconds))})


def _errors(app: FastAPI) -> None:
    """How errors are told: one sentence each."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"][1:]) or "the body"
        return refusal(422, f"{where}: {str(first['msg']).removeprefix('Value error, ')}", "invalid_request")

    @app.exception_handler(ValueError)
    async def unfit(request: Request, error: ValueError) -> JSONResponse:
        return refusal(422, str(error), "invalid_request")

    @app.exception_handler(OverloadedError)
    async def overloaded(request: Request, error: OverloadedError) -> JSONResponse:
        return _overloaded(error)

    @app.exception_handler(HTTPException)
    async def elsewhere(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 400:  # of FastAPI: JSON that cannot be read, for whatever reason
            return refusal(422, "the body cannot be read as JSON", "invalid_request")
        return refusal(error.status_code, f"{request.url.path[:200]}: {error.detail}", "invalid_request")

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return refusal(500, f"the model failed over this request ({type(error).__name__})", "server_error")


def _facts(app: FastAPI, writer: ModelWriter, metrics: Metrics) -> None:
    @app.get("/health")
    async def health() -> dict[str, str | bool]:
        return {"status": "ok", "model": writer.name, "writes_prose": writer.writes_prose}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": writer.name, "object": "model", "owned_by": "palimpsest"}]}

    @app.get("/metrics")
    async def figures() -> Response:
        return metrics.answer()


def _ticket(request: Request) -> Ticket:
    return Ticket(client_of(request), request.url.path, int(request.headers.get("content-length", 0)))


def _writing(app: FastAPI, writer: ModelWriter, engine: Engine) -> None:
    """What the agent asks its writer, for `--model http://...`. What is asked of several texts is answered slice by slice."""

    @app.post("/v1/answers")
    async def answers(asked: Answers, request: Request) -> list[Candidate]:
        parts = slices(asked.passages, lambda p: len(p.text))
        work = [partial(_drawing(writer, asked).answers, asked.question, asked.kind, part, asked.k) for part in parts]
        return [c for part in await all_of(engine.run(work, _ticket(request)), request) for c in part]

    @app.post("/v1/verdicts")
    async def verdicts(asked: Verdicts, request: Request) -> list[Verdict]:
        work = [
            partial(_drawing(writer, asked).verdicts, part)
            for part in slices(asked.pairs, lambda p: len(p[0]) + len(p[1]))
        ]
        return [v for part in await all_of(engine.run(work, _ticket(request)), request) for v in part]

    @app.post("/v1/choose")
    async def choose(asked: Choose, request: Request) -> Filled:
        work = [partial(_drawing(writer, asked).choose, asked.question, asked.kind, asked.passages)]
        return (await all_of(engine.run(work, _ticket(request)), request))[0]

    @app.post("/v1/fill")
    async def fill(asked: Forms, request: Request) -> list[list[Filled]]:
        parts = slices(asked.forms, lambda f: sum(len(p.text) for p in f.passages))
        work = [partial(_fill, _drawing(writer, asked), part) for part in parts]
        return [f for part in await all_of(engine.run(work, _ticket(request)), request) for f in part]

    @app.post("/v1/compose")
    async def compose(asked: Forms, request: Request) -> list[list[str] | None]:
        """The free slots of each form in words of the model's own; a model that copies has none."""
        if not writer.writes_prose:
            raise ValueError("this model writes no prose, it copies: ask /v1/fill")
        parts = slices(asked.forms, lambda f: sum(len(p.text) for p in f.passages))
        work = [partial(_compose, _drawing(writer, asked), part) for part in parts]
        return [f for part in await all_of(engine.run(work, _ticket(request)), request) for f in part]


def _compose(writer: ModelWriter, forms: Sequence[Form]) -> list[list[str] | None]:
    return writer.compose([(specs(f.pieces), f.passages) for f in forms])


def _drawing(writer: ModelWriter, asked: Drawn) -> ModelWriter:
    return writer if asked.seed is None else writer.seeded(asked.seed)


def _fill(writer: ModelWriter, forms: Sequence[Form]) -> list[list[Filled]]:
    return writer.fill([(specs(f.pieces), f.passages) for f in forms])


def _revising(app: FastAPI, writer: ModelWriter, engine: Engine) -> None:
    """What is one canvas, and shares its steps with others."""

    @app.post("/v1/revise")
    async def revise(asked: Revise, request: Request) -> Response:
        """Fill the slots of a draft; with `stream` every step as it is made (server-sent events)."""
        plan = Plan(asked.steps, COMMITS[asked.commit](asked.value), resize=writer.denoiser.resize)
        job = engine.submit(
            partial(_build, writer, asked),
            plan,
            seed=asked.seed,
            ticket=_ticket(request),
            view=partial(_on_wire, writer),
        )
        if asked.stream:
            return await events(job, request, items_of(job))
        return JSONResponse((await all_of(job, request))[-1])

    @app.post("/v1/chat/completions")
    async def chat(asked: Chat, request: Request) -> Response:
        most = asked.length if writer.denoiser.writes_prose else writer.steps
        plan = Plan(most, threshold(0.9), resize=writer.denoiser.resize)
        job = engine.submit(
            partial(canvas_of, writer, asked),
            plan,
            seed=asked.seed or 0,
            ticket=_ticket(request),
            view=partial(said, writer),
        )
        if asked.stream:
            return await events(job, request, chunks(writer.name, items_of(job)))
        return JSONResponse(completion(writer.name, (await all_of(job, request))[-1]))


def _build(writer: ModelWriter, asked: Revise) -> Canvas:
    return writer.denoiser.build([asked.question], [(p.id, p.text) for p in asked.passages], specs(asked.draft))


def _on_wire(writer: ModelWriter, frame: Frame) -> dict[str, Any]:
    """A frame on the wire: of every slot its words and where they are from, how sure, and whether it is settled."""
    slots = []
    for number, slot in enumerate(frame.canvas.slots):
        fill = frame.canvas.fill(number, writer.denoiser.tokenizer)
        slots.append(
            {
                "kind": slot.spec.kind.name,
                "settled": fill is not None,
                "text": fill.text if fill else None,
                "passage": fill.name if fill else None,
                "start": fill.start if fill and fill.name else None,
                "end": fill.end if fill and fill.name else None,
                "probability": float(frame.guess.prob[slot.start]),
            }
        )
    rows = {"computed": frame.report.recomputed, "total": frame.report.total} if frame.report else None
    return {"step": frame.step, "slots": slots, "rows": rows}


def check_exposure(host: str, token: str | None) -> None:
    """ResearchError when others than this machine could use the model without a token."""
    if token is None and not is_loopback(host):
        raise ResearchError(
            f"on {host} others could use the model; set RESEARCH_SERVE_TOKEN to a secret first, or listen on 127.0.0.1",
            USAGE,
        )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes one that is free. ResearchError when the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        raise ResearchError(
            f"{host}:{port} cannot be listened on ({error}); choose another with --port", FAILED
        ) from error


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(application: FastAPI, listener: socket.socket) -> None:
    """Answer until interrupted."""
    import uvicorn

    config = uvicorn.Config(application, log_level="warning", timeout_graceful_shutdown=CLOSING)
    uvicorn.Server(config).run(sockets=[listener])
