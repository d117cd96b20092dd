"""How a running server bears load: `python -m palimpsest.workflows.serving.load --url http://127.0.0.1:8321`.

The same requests one after the other and from several clients at once, with /health asked all the while. Seconds depend on the
machine and on who else uses it; the last two lines are a ratio and the slowest /health.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from palimpsest.retrieval.http import operator

SENTENCE = "The barge Marisa of Orta reached 12 knots in 1901, and Pietro Canale built it of oak in the yard at Pella. "


@dataclass(frozen=True)
class Load:
    """Seconds for a request one after the other and at once, the longest that /health took, and how many requests were refused."""

    alone: float
    together: float
    health: float
    refused: int


class Client(Protocol):
    """What is asked of a client."""

    def get(self, url: str) -> operator.Response: ...

    def post(self, url: str, *, json: Any) -> operator.Response: ...


def body(letters: int, passages: int = 3) -> dict[str, Any]:
    """A revise request of two steps over so many passages of so many letters."""
    text = (SENTENCE * (letters // len(SENTENCE) + 1))[:letters]
    draft = ["It reached ", {"kind": "NUMBER"}, " knots and was built by ", {"kind": "ENTITY"}, "."]
    return {
        "question": "How fast was the Marisa, and who built it?",
        "passages": [{"id": f"p{n}", "text": text} for n in range(passages)],
        "draft": draft,
    }


def measure(client: Client, asked: dict[str, Any], requests: int, clients: int) -> Load:
    """An HTTPError when there is no server."""

    def ask(_: int) -> int:
        return client.post("/v1/revise", json=asked).status_code

    ask(0)  # what is first is slower
    begun = time.monotonic()
    statuses = [ask(n) for n in range(requests)]
    alone = (time.monotonic() - begun) / requests
    over = threading.Event()
    with ThreadPoolExecutor(1) as watching, ThreadPoolExecutor(clients) as pool:
        slowest = watching.submit(_watch, client, over)
        begun = time.monotonic()
        statuses += pool.map(ask, range(requests))
        together = (time.monotonic() - begun) / requests
        over.set()
    return Load(alone, together, slowest.result(), statuses.count(429))


def _watch(client: Client, over: threading.Event) -> float:
    """The longest that /health took, asked again and again until it is `over`."""
    longest, asked = 0.0, False
    while not asked or not over.wait(0.05):
        begun, asked = time.monotonic(), True
        client.get("/health").raise_for_status()
        longest = max(longest, time.monotonic() - begun)
    return longest


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.workflows.serving.load", description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8321")
    parser.add_argument("--letters", type=int, default=900, help="of each of the three passages")
    parser.add_argument("--requests", type=int, default=32)
    parser.add_argument("--clients", type=int, default=8)
    given = parser.parse_args(arguments)
    with operator.client(given.url) as client:
        found = measure(client, body(given.letters), given.requests, given.clients)
    print(f"one after the other   {found.alone:8.3f} s a request")
    print(f"{given.clients} clients at once     {found.together:8.3f} s a request, {found.refused} refused")
    print(f"at once / alone       {found.together / found.alone:8.2f}")
    print(f"/health, the slowest  {found.health:8.3f} s")


if __name__ == "__main__":
    main()
