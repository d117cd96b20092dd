"""A chat model elsewhere as executor of prose: `--writer URL#MODEL`, any OpenAI-compatible endpoint (Ollama, vLLM, llama.cpp).

It is given a sentence with blanks between fixed anchors and the sentences that it is to say. It plans nothing and judges nothing: what
it sends back is held to the anchors here, and checked like any other prose (`agent.prose`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from palimpsest.agent.state import Piece, ProseError
from palimpsest.dlm_core.kinds import SlotSpec
from palimpsest.retrieval.http import operator
from palimpsest.retrieval.outcomes import SourceError
from palimpsest.retrieval.types import Passage

from ..errors import USAGE, ResearchError

SECONDS = 120.0  # for one sentence, from the first byte to the last
MOST_BYTES = 200_000  # of a reply: a sentence is some hundred
MOST_TOKENS = 400
LONGEST = 4_000  # letters of a sentence
BLANK = "____"
TASK = (
    "Fill the blanks (____) of the sentence so that it says plainly what the sources say. Keep every word, figure and mark that "
    "stands there, in its order. Add no name, no figure and nothing that the sources do not say. Answer with the whole sentence alone."
)


class ChatWriter:
    """Writes prose by asking a chat model. ResearchError for an address that cannot be used; `token` goes out as a bearer token.

    `transport` is for tests.
    """

    def __init__(self, address: str, token: str | None = None, transport: operator.BaseTransport | None = None):
        parts = urlsplit(address)
        self.model = parts.fragment
        path = parts.path.rstrip("/") or "/v1"
        self.url = urlunsplit((parts.scheme, parts.netloc, path, "", ""))
        if parts.scheme not in ("http", "https") or not parts.netloc or not self.model:
            raise ResearchError(f"--writer {address!r} is no URL#MODEL, such as http://127.0.0.1:11434/v1#qwen3", USAGE)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            self._client = operator.client(self.url, headers=headers, seconds=SECONDS, below=transport)
        except SourceError as error:
            raise ResearchError(f"the writer's address cannot be used: {error}", USAGE) from error

    def compose(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[str] | None]:
        return [words_between(pieces, self._asked(pieces, passages)) for pieces, passages in forms]

    def _asked(self, pieces: Sequence[Piece], passages: Sequence[Passage]) -> str:
        """The sentence that the model answers with. ProseError when it answers nothing that could be one."""
        body = {
            "model": self.model,
            "messages": [{"role": "system", "content": TASK}, {"role": "user", "content": _request(pieces, passages)}],
            "temperature": 0,
            "max_tokens": MOST_TOKENS,
            "stream": False,
        }
        try:
            reply = json.loads(self._sent(body))
            said = reply["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ProseError(f"the writer {self.url} answers, but not as a chat model does") from error
        if not isinstance(said, str):
            raise ProseError(f"the writer {self.url} answered without words")
        return said.rpartition("</think>")[2][:LONGEST]  # what a model says to itself before it answers

    def _sent(self, body: dict[str, Any]) -> bytes:
        deadline = time.monotonic() + SECONDS
        try:
            with self._client.stream("POST", "/chat/completions", json=body) as reply:
                if reply.is_error:
                    raise ProseError(f"the writer {self.url} refused: {reply.status_code} {reply.reason_phrase}")
                return b"".join(self._bounded(reply.iter_bytes(), deadline))
        except (operator.HTTPError, SourceError) as error:
            raise ProseError(f"the writer {self.url} cannot be reached ({error or type(error).__name__})") from error

    def _bounded(self, parts: Iterator[bytes], deadline: float) -> Iterator[bytes]:
        size = 0
        for part in parts:
            size += len(part)
            if size > MOST_BYTES or time.monotonic() > deadline:
                raise ProseError(f"the writer {self.url} does not come to an end")
            yield part


def _request(pieces: Sequence[Piece], passages: Sequence[Passage]) -> str:
    sources = "\n".join(f"[{n}] {' '.join(p.text.split())}" for n, p in enumerate(passages, 1))
    return (
        f"Sources:\n{sources}\n\nSentence:\n{''.join(p if isinstance(p, str) else f' {BLANK}' for p in pieces).strip()}"
    )


def words_between(pieces: Sequence[Piece], said: str) -> list[str] | None:
    """What stands in the blanks of a sentence; None where it does not hold every fixed piece, in order and whole.

    Spaces do not count; each fixed piece is taken where it comes first.
    """
    text = " ".join(said.split()).strip("\"'“” ")
    found: list[str] = []
    at, waits = 0, False
    for piece in pieces:
        if isinstance(piece, SlotSpec):
            waits = True
            continue
        fixed = " ".join(piece.split())
        place = text.find(fixed, at)
        if place < 0 or (not waits and text[at:place].strip()):
            return None
        if waits:
            found.append(text[at:place].strip())
        at, waits = place + len(fixed), False
    if waits:
        found.append(text[at:].strip())
        at = len(text)
    return None if text[at:].strip() else found
