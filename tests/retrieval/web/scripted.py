"""A door whose network is a list of answers: `enqueue` them, look at `history` afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx

from palimpsest.retrieval.http import Answer, Border, Door, Guard
from palimpsest.retrieval.http.address import parse_ip


class Network(httpx.BaseTransport):
    """Answers in the order they were enqueued; asked once more than that, it is a fault of the test."""

    def __init__(self) -> None:
        self.answers: list[httpx.Response] = []
        self.history: list[httpx.Request] = []

    def enqueue(
        self, body: Any = b"", status: int = 200, media_type: str = "application/json", **headers: str
    ) -> Network:
        content = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        given = {"content-type": media_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.answers.append(httpx.Response(status, headers=given, stream=httpx.ByteStream(content)))
        return self

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.history.append(request)
        return self.answers.pop(0)


def door(network: Network, contact: str = "tests@palimpsest.example", cache: Path | None = None) -> Door:
    guard = Guard(resolve=lambda host, port: Answer((parse_ip("93.184.215.14"),)))
    return Door(Border("online", contact=contact, cache=cache), guard, below=network)
