"""How an endpoint waits for the engine: without a thread of its own, and no longer than its client stays."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import anyio
from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from palimpsest.dlm_core.serving.engine import Job
from palimpsest.dlm_core.serving.line import OverloadedError

T = TypeVar("T")
SLOW_READER = 60.0  # seconds that a client may leave an event untaken


async def items_of(job: Job[T]) -> AsyncIterator[T]:
    """What a job makes, as it is made; whoever stops listening ends the job."""
    loop, news = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            loop.call_soon_threadsafe(news.set)

    job.listen(wake)
    over = False
    try:
        while not over:
            news.clear()
            items, over = job.take()
            for item in items:
                yield item
            if not over and not items:
                await news.wait()
    finally:
        job.cancel()


@contextlib.asynccontextmanager
async def while_connected(job: Job[Any], request: Request) -> AsyncIterator[None]:
    """Cancel the job when its client goes away, were it before the first item."""

    async def watch() -> None:
        while not await request.is_disconnected():
            await asyncio.sleep(0.1)
        job.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()


async def all_of(job: Job[T], request: Request) -> list[T]:
    """Everything a job makes. ClientDisconnect when the client goes away first: nobody hears the answer."""
    async with while_connected(job, request):
        items = [item async for item in items_of(job)]
    if job.cancelled:
        raise ClientDisconnect
    return items


async def events(job: Job[T], request: Request, items: AsyncIterator[dict[str, Any]]) -> Events:
    """A stream of server-sent events, begun when the first is there: what is wrong with a request is still a status."""
    async with while_connected(job, request):
        first = await anext(items, None)
    return Events(_lines(first, items), job)


class Events(StreamingResponse):
    """Server-sent events of a job, which ends with the connection."""

    def __init__(self, lines: AsyncIterator[str], job: Job[Any]):
        super().__init__(lines, media_type="text/event-stream", headers={"Cache-Control": "no-store"})
        self.job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def in_time(message: Message) -> None:
            with anyio.fail_after(SLOW_READER):
                await send(message)

        try:
            async with while_connected(self.job, Request(scope, receive)):
                await super().__call__(scope, receive, in_time)
        finally:
            self.job.cancel()


async def _lines(first: dict[str, Any] | None, rest: AsyncIterator[dict[str, Any]]) -> AsyncIterator[str]:
    try:
        if first is not None:
            yield _line(first)
        async for item in rest:
            yield _line(item)
    except (ValueError, OverloadedError) as error:
        yield _line({"error": {"message": str(error), "type": "invalid_request"}})
    yield "data: [DONE]\n\n"


def _line(item: dict[str, Any]) -> str:
    return f"data: {json.dumps(item, ensure_ascii=False)}\n\n"
