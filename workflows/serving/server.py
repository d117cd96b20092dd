"""`research serve`: one model over HTTP. Canvases are revised, drafts written and questions judged for many clients at a time."""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from palimpsest.agent.state import Candidate, Filled, Verdict
from palimpsest.agent.writer import ModelWriter
from palimpsest.dlm_core.canvas.canvas import Canvas
from palimpsest.dlm_core.decoding import rules
from palimpsest.dlm_core.decoding.sampler import Frame, Plan, Rule, threshold
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec
from palimpsest.dlm_core.serving.engine import Engine, Job, OverloadedError

from .wire import Answers, Chat, Choose, Forms, Revise, Slot, Verdicts

MOST_BYTES = 8 * 2**20
COMMITS: dict[str, Callable[[float], Rule]] = {
    "threshold": threshold,
    "factor": rules.factor,
    "entropy": rules.entropy_bound,
    "margin": rules.margin,
}


def application(writer: ModelWriter, *, active: int = 16, waiting: int = 64, token: str | None = None) -> FastAPI:
    """The server as an ASGI application; it owns the writer's model until it is shut down."""
    engine = Engine(writer.denoiser, active, waiting)
    writer.trajectories = lambda canvases, plan: _trajectories(engine, canvases, plan)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await anyio.to_thread.run_sync(engine.close)

    app = FastAPI(title="Palimpsest", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.engine = engine
    _guard(app, token)
    _facts(app, writer, engine)
    _writing(app, writer, engine)
    _revising(app, writer, engine)
    return app


def _trajectories(engine: Engine, canvases: Sequence[Canvas], plan: Plan) -> list[list[Frame]]:
    """The frames of canvases that share their steps with everyone else's. All are taken back when one cannot be had."""
    jobs: list[Job] = []
    try:
        for canvas in canvases:
            jobs.append(engine.submit(canvas, plan))
        return [list(job.frames()) for job in jobs]
    except BaseException:
        for job in jobs:
            job.cancel()
        raise


def _said(status: int, message: str, kind: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": kind}}, status, headers)


class Guard:
    """ASGI middleware: what is refused before it is read."""

    def __init__(self, app: ASGIApp, token: str | None):
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refused(Request(scope)) if scope["type"] == "http" else None
        await (refused or self.app)(scope, receive, send)

    def _refused(self, request: Request) -> JSONResponse | None:
        if self.token and request.url.path != "/health":
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return _said(401, "send the server's token as Authorization: Bearer ...", "unauthorized")
        if request.method != "POST":
            return None
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            return _said(411, "send a Content-Length; chunked bodies are not read", "invalid_request")
        if int(length) > MOST_BYTES:
            return _said(413, f"the body has {length} bytes; send at most {MOST_BYTES}", "invalid_request")
        return None


def _guard(app: FastAPI, token: str | None) -> None:
    """Who may come in, and how errors are told: one sentence each."""
    app.add_middleware(Guard, token=token)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(p) for p in first["loc"][1:]) or "the body"
        return _said(422, f"{where}: {first['msg']}", "invalid_request")

    @app.exception_handler(ValueError)
    async def refused(request: Request, error: ValueError) -> JSONResponse:
        return _said(422, str(error), "invalid_request")

    @app.exception_handler(OverloadedError)
    async def overloaded(request: Request, error: OverloadedError) -> JSONResponse:
        return _said(429, str(error), "overloaded", {"Retry-After": "2"})


def _facts(app: FastAPI, writer: ModelWriter, engine: Engine) -> None:
    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "model": writer.name}

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [{"id": writer.name, "object": "model", "owned_by": "palimpsest"}]}

    @app.get("/metrics")
    def metrics() -> PlainTextResponse:
        """Prometheus text: gauges of the load, counters since the start."""
        active, waiting = engine.load
        told = engine.counters
        values = {"jobs_active": active, "jobs_waiting": waiting}
        totals = {"jobs_done": told.done, "jobs_failed": told.failed, "jobs_cancelled": told.cancelled}
        totals |= {
            "jobs_rejected": told.rejected,
            "steps": told.steps,
            "rows": told.rows,
            "rows_computed": told.computed,
        }
        lines = [f"# TYPE palimpsest_{n} gauge\npalimpsest_{n} {v}" for n, v in values.items()]
        lines += [f"# TYPE palimpsest_{n}_total counter\npalimpsest_{n}_total {v}" for n, v in totals.items()]
        return PlainTextResponse("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


def _writing(app: FastAPI, writer: ModelWriter, engine: Engine) -> None:
    """What the agent asks its writer, for `--model http://...`."""

    @app.post("/v1/answers")
    def answers(asked: Answers) -> list[Candidate]:
        return engine.call(lambda: writer.answers(asked.question, asked.kind, asked.passages, asked.k))

    @app.post("/v1/verdicts")
    def verdicts(asked: Verdicts) -> list[Verdict]:
        return engine.call(lambda: writer.verdicts(asked.pairs))

    @app.post("/v1/choose")
    def choose(asked: Choose) -> Filled:
        return writer.choose(asked.question, asked.kind, asked.passages)

    @app.post("/v1/fill")
    def fill(asked: Forms) -> list[list[Filled]]:
        return writer.fill([(_pieces(f.pieces), f.passages) for f in asked.forms])


def _pieces(told: Sequence[str | Slot]) -> list[str | SlotSpec]:
    return [p if isinstance(p, str) else p.spec() for p in told]


def _revising(app: FastAPI, writer: ModelWriter, engine: Engine) -> None:
    @app.post("/v1/revise")
    async def revise(asked: Revise, request: Request) -> Response:
        """Fill the slots of a draft; with `stream` every step as it is made (server-sent events)."""
        canvas = _lay(writer, asked)
        plan = Plan(asked.steps, COMMITS[asked.commit](asked.value), resize=writer.denoiser.resize)
        job = engine.submit(canvas, plan, seed=asked.seed)
        if asked.stream:
            return Events((_told(writer, frame) async for frame in _frames(job)), job)
        last = await _last(job, request)
        return JSONResponse(_told(writer, last))

    @app.post("/v1/chat/completions")
    async def chat(asked: Chat, request: Request) -> Response:
        """OpenAI's chat: a draft of one slot. A model that writes no prose copies its answer from the system messages."""
        canvas = _chat_canvas(writer, asked)
        most = asked.length if writer.denoiser.writes_prose else writer.steps
        plan = Plan(most, threshold(0.9), resize=writer.denoiser.resize)
        job = engine.submit(canvas, plan, seed=asked.seed or 0)
        if asked.stream:
            return Events(_deltas(writer, job), job)
        last = await _last(job, request)
        text = _text(writer, last, 0) or ""
        tokens = len(last.canvas)
        usage = {"prompt_tokens": tokens - asked.length, "completion_tokens": asked.length, "total_tokens": tokens}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return JSONResponse({**_envelope(writer, "chat.completion"), "choices": [choice], "usage": usage})


def _lay(writer: ModelWriter, asked: Revise) -> Canvas:
    draft = _pieces(asked.draft)
    if not any(isinstance(p, SlotSpec) for p in draft):
        raise ValueError("the draft has no slot; put one where words are to be filled in")
    return writer.denoiser.build([asked.question], [(p.id, p.text) for p in asked.passages], draft)


def _chat_canvas(writer: ModelWriter, asked: Chat) -> Canvas:
    if asked.messages[-1].role != "user":
        raise ValueError("messages: the last one must be the user's")
    if writer.denoiser.writes_prose:
        several = len(asked.messages) > 1
        told = "\n\n".join(f"{m.role}: {m.content}" if several else m.content for m in asked.messages)
        return writer.denoiser.build([told], [], [SlotSpec(MaskKind.TEXT, asked.length, free=True)])
    sources = [(f"system-{n}", m.content) for n, m in enumerate(asked.messages) if m.role in ("system", "developer")]
    if not sources:
        raise ValueError(
            "this model writes no prose, it copies: send the text that holds the answer as a system message"
        )
    return writer.denoiser.build([asked.messages[-1].content], sources, [SlotSpec(MaskKind.TEXT)])


async def _frames(job: Job) -> AsyncIterator[Frame]:
    """The frames of a job; a client that goes away ends this iterator, and with it the job."""
    frames = job.frames()
    try:
        while (frame := await anyio.to_thread.run_sync(lambda: next(frames, None), abandon_on_cancel=True)) is not None:
            yield frame
    finally:
        job.cancel()


async def _last(job: Job, request: Request) -> Frame:
    """The last frame, unless the client goes away first: then the job is cancelled and nobody hears the answer."""
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while not await request.is_disconnected():
                await anyio.sleep(0.1)
            job.cancel()

        group.start_soon(watch)
        last = job.frame
        error: Exception | None = None
        try:
            async for frame in _frames(job):
                last = frame
        except Exception as raised:  # noqa: BLE001  (told outside the group, which would wrap it)
            error = raised
        group.cancel_scope.cancel()
    if error:
        raise error
    return last


class Events(StreamingResponse):
    """Server-sent events of a job, which ends with the connection, were it before the first byte."""

    def __init__(self, told: AsyncIterator[dict[str, Any]], job: Job):
        super().__init__(_lines(told), media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self.job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.job.cancel()


async def _lines(told: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    try:
        async for item in told:
            yield f"data: {json.dumps(item, ensure_ascii=False)}\n\n"
    except ValueError as error:
        yield f"data: {json.dumps({'error': {'message': str(error), 'type': 'invalid_request'}})}\n\n"
    yield "data: [DONE]\n\n"


def _told(writer: ModelWriter, frame: Frame) -> dict[str, Any]:
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


def _text(writer: ModelWriter, frame: Frame, slot: int) -> str | None:
    fill = frame.canvas.fill(slot, writer.denoiser.tokenizer)
    return fill.text if fill else None


def _envelope(writer: ModelWriter, kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-palimpsest", "object": kind, "created": 0, "model": writer.name}


async def _deltas(writer: ModelWriter, job: Job) -> AsyncIterator[dict[str, Any]]:
    """OpenAI's chunks: words come in any order here, so what is sent is the settled beginning as it grows."""
    sent = ""
    async for frame in _frames(job):
        told = _beginning(writer, frame)
        more, sent = told.removeprefix(sent), told
        choice = {"index": 0, "delta": {"content": more}, "finish_reason": None}
        yield {**_envelope(writer, "chat.completion.chunk"), "choices": [choice]}
    yield {
        **_envelope(writer, "chat.completion.chunk"),
        "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
    }


def _beginning(writer: ModelWriter, frame: Frame) -> str:
    """The words of the slot up to its first open place; half a letter at the end waits for its other half."""
    slot, canvas = frame.canvas.slots[0], frame.canvas
    if canvas.is_settled(0):
        return _text(writer, frame, 0) or ""
    settled = (~canvas.open[slot.start : slot.end]).int().cumprod(0).sum()
    tokens = [t for t in canvas.tokens[slot.start : slot.start + int(settled)].tolist() if t != canvas.marks.delete]
    return writer.denoiser.tokenizer.decode(tokens).rstrip("�")


def serve(application: FastAPI, host: str, port: int) -> None:
    """Answer until interrupted."""
    import uvicorn

    uvicorn.run(application, host=host, port=port, log_level="warning")
