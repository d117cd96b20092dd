"""A server with a tiny model, in process, and ways to hold its model or to be a client that goes away."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import httpx
from fastapi import FastAPI

PASSAGES = [{"id": "p0", "text": "The barge Marisa of Orta reached 12 knots in 1901."}]
REVISE = {"question": "How fast?", "passages": PASSAGES, "draft": ["It reached ", {"kind": "NUMBER"}, " knots."]}


class InProcess(httpx.BaseTransport):
    """An ASGI application behind httpx's blocking client; requests come from the address `client`."""

    def __init__(self, app: FastAPI, client: str = "192.0.2.1"):
        self.app, self.client = app, client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        inner = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
        if "transfer-encoding" in request.headers:
            inner.headers.pop("content-length", None)

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, client=(self.client, 1), raise_app_exceptions=False)
            reply = await transport.handle_async_request(inner)
            return httpx.Response(reply.status_code, headers=reply.headers, content=await reply.aread())

        return anyio.run(ask)


def client(app: FastAPI, address: str = "192.0.2.1", url: str = "http://server") -> httpx.Client:
    return httpx.Client(transport=InProcess(app, address), base_url=url, timeout=60)


class Held:
    """Stops the model before each guess, until it is let."""

    def __init__(self, app: FastAPI):
        self.engine = app.state.engine
        self.guess, self.gate, self.asked = self.engine.model.guess, threading.Semaphore(0), threading.Semaphore(0)
        self.engine.model.guess = self._held

    def _held(self, *args: Any) -> Any:
        self.asked.release()
        assert self.gate.acquire(timeout=60)
        return self.guess(*args)

    def let(self) -> None:
        for _ in range(500):
            self.gate.release()
