"""A writer that is elsewhere: `--model http://host:port` asks a `research serve` for every answer, verdict and filling."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, TypeAdapter

from palimpsest.agent.draft import Kind
from palimpsest.agent.state import Candidate, Filled, Piece, Verdict
from palimpsest.dlm_core.kinds import SlotSpec
from palimpsest.retrieval.types import Passage

from ..errors import FAILED, ResearchError
from .wire import Slot

T = TypeVar("T")
TRIES = 6
_BUSY = (429, 503)


class RemoteWriter:
    """The agent's writer over HTTP. ResearchError names the server and the mend when it cannot be reached or refuses.

    `transport` is for tests; `token` goes out as a bearer token.
    """

    def __init__(self, url: str, token: str | None = None, transport: httpx.BaseTransport | None = None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, headers=headers, timeout=600, transport=transport)
        self.name = str(self._send("GET", "/health", None)["model"])

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        body = {"question": question, "kind": kind, "passages": _dumped(passages), "k": k}
        return self._ask("/v1/answers", body, list[Candidate]) if passages else []

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled:
        return self._ask("/v1/choose", {"question": question, "kind": kind, "passages": _dumped(passages)}, Filled)

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        return self._ask("/v1/verdicts", {"pairs": [list(p) for p in pairs]}, list[Verdict]) if pairs else []

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        told = [{"pieces": _pieces(pieces), "passages": _dumped(passages)} for pieces, passages in forms]
        return self._ask("/v1/fill", {"forms": told}, list[list[Filled]]) if forms else []

    def _ask(self, path: str, body: dict[str, Any], kind: type[T]) -> T:
        return TypeAdapter(kind).validate_python(self._send("POST", path, body))

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """The answer's JSON; a busy server is asked again, a little later each time."""
        for attempt in range(TRIES):
            try:
                told = self._client.request(method, path, json=body)
            except httpx.HTTPError as error:
                why = str(error) or type(error).__name__
                raise ResearchError(
                    f"the model server {self.url} cannot be reached ({why}); start it with: research serve", FAILED
                ) from error
            if told.status_code not in _BUSY or attempt == TRIES - 1:
                break
            time.sleep(float(told.headers.get("retry-after", 1)) * min(attempt + 1, 3))
        if told.is_error:
            raise ResearchError(f"the model server {self.url} refused: {_reason(told)}", FAILED)
        try:
            return told.json()
        except ValueError as error:
            raise ResearchError(f"{self.url} answers, but is no model server; see research serve", FAILED) from error


def _reason(told: httpx.Response) -> str:
    try:
        return str(told.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{told.status_code} {told.reason_phrase}"


def _dumped(passages: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [p.model_dump(mode="json") for p in passages]


def _pieces(pieces: Sequence[Piece]) -> list[Any]:
    return [Slot.of(p).model_dump() if isinstance(p, SlotSpec) else p for p in pieces]
