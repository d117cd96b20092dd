"""A writer that is elsewhere: `--model http://host:port` asks a `research serve` for every answer, verdict and filling."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter

from palimpsest.agent.draft import Kind
from palimpsest.agent.evidence_text import likeliest_first
from palimpsest.agent.state import Candidate, Filled, Piece, Together, Verdict
from palimpsest.dlm_core.kinds import SlotSpec
from palimpsest.retrieval.http import operator
from palimpsest.retrieval.outcomes import SourceError
from palimpsest.retrieval.types import Passage

from ..errors import FAILED, USAGE, ResearchError
from .wire import Slot

T = TypeVar("T")
PATIENCE = 600.0  # seconds that a busy server is asked again for
LONGEST_WAIT = 60.0  # seconds between two tries
PASSAGES, PAIRS, FORMS = (
    64,
    256,
    16,
)  # of one request: what is more goes out in several, which a server refuses one by one
_BUSY = (429, 503)


class RemoteWriter:
    """The agent's writer over HTTP. ResearchError names the server and the mend when it cannot be reached or refuses.

    `transport` is for tests; `token` goes out as a bearer token. Without `seed` the server draws by its own.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        transport: operator.BaseTransport | None = None,
        seed: int | None = None,
    ):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._seed = {} if seed is None else {"seed": seed}
        try:
            self._client = operator.client(self.url, headers=headers, below=transport)
        except SourceError as error:
            raise ResearchError(f"the model server's address cannot be used: {error}", USAGE) from error
        health = self._send("GET", "/health", None)
        self.name, self.writes_prose = str(health["model"]), health.get("writes_prose") is True

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        found: list[Candidate] = []
        for part in _parts(passages, PASSAGES):
            body = {"question": question, "kind": kind, "passages": _dumped(part), "k": k}
            found += self._ask("/v1/answers", body, list[Candidate])
        return found

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled:
        return self._ask("/v1/choose", {"question": question, "kind": kind, "passages": _dumped(passages)}, Filled)

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        return likeliest_first(self.answers(question, "ENTITY", passages, k))

    def hops(self, question: str) -> float:
        """0: a server is asked for answers, verdicts and fillings, not for what a question takes."""
        return 0.0

    def together(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> Together:
        """Nothing: asked for only of questions that take several looks."""
        return Together()

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        found: list[Verdict] = []
        for part in _parts(pairs, PAIRS):
            found += self._ask("/v1/verdicts", {"pairs": [list(p) for p in part]}, list[Verdict])
        return found

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        found: list[list[Filled]] = []
        for part in _parts(forms, FORMS):
            body = [{"pieces": _pieces(pieces), "passages": _dumped(passages)} for pieces, passages in part]
            found += self._ask("/v1/fill", {"forms": body}, list[list[Filled]])
        return found

    def compose(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[str] | None]:
        found: list[list[str] | None] = []
        for part in _parts(forms, FORMS):
            body = [{"pieces": _pieces(pieces), "passages": _dumped(passages)} for pieces, passages in part]
            found += self._ask("/v1/compose", {"forms": body}, list[list[str] | None])
        return found

    def _ask(self, path: str, body: dict[str, Any], kind: type[T]) -> T:
        return TypeAdapter(kind).validate_python(self._send("POST", path, {**body, **self._seed}))

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        """The answer's JSON; a busy server is asked again when it says, for as long as there is patience."""
        reply, tries, waited = self._once(method, path, body), 0, 0.0
        while reply.status_code in _BUSY and waited < PATIENCE:
            seconds = _wait(reply, tries)
            time.sleep(seconds)
            waited, tries = waited + seconds, tries + 1
            reply = self._once(method, path, body)
        if reply.is_error:
            raise ResearchError(f"the model server {self.url} refused: {_reason(reply)}", FAILED)
        try:
            return reply.json()
        except ValueError as error:
            raise ResearchError(f"{self.url} answers, but is no model server; see research serve", FAILED) from error

    def _once(self, method: str, path: str, body: dict[str, Any] | None) -> operator.Response:
        try:
            return self._client.request(method, path, json=body)
        except (operator.HTTPError, SourceError) as error:
            why = str(error) or type(error).__name__
            raise ResearchError(
                f"the model server {self.url} cannot be reached ({why}); start it with: research serve", FAILED
            ) from error


def _wait(reply: operator.Response, tries: int) -> float:
    """Seconds until the next try: what the server asks for, or more each time where it says nothing that can be read."""
    try:
        seconds = float(reply.headers["retry-after"])
    except (KeyError, ValueError):  # not said, or a date
        seconds = 2.0**tries
    return min(LONGEST_WAIT, max(0.1, seconds))


def _parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _reason(reply: operator.Response) -> str:
    try:
        return str(reply.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"{reply.status_code} {reply.reason_phrase}"


def _dumped(passages: Sequence[BaseModel]) -> list[dict[str, Any]]:
    return [p.model_dump(mode="json") for p in passages]


def _pieces(pieces: Sequence[Piece]) -> list[Any]:
    return [Slot.of(p).model_dump() if isinstance(p, SlotSpec) else p for p in pieces]
