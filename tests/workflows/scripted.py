"""A little world whose answers can be seen by eye: barges on a lake, and a writer that reads them by pattern.

`python scripted.py ...` runs or goes on with a run in a process of its own that kills itself after some events.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from palimpsest.agent.state import Candidate, Event, Filled, Piece, Together, Verdict
from palimpsest.dlm_core.kinds import SlotSpec
from palimpsest.retrieval.types import Passage
from palimpsest.workflows import corpus, research
from palimpsest.workflows.config import Config
from palimpsest.workflows.runs import Run
from tests.embedders import AlikeEmbedder

QUESTION = "What is the fastest barge on Lake Orta, and how many knots does it reach?"
DOCS = {
    "barges.md": "---\ntitle: Barges of 2024\ndate: 2024-05-01\n---\n"
    "The fastest barge on Lake Orta is Marisa, which reaches 12 knots.\n",
    "harbour.md": "---\ntitle: The harbour book\ndate: 2023-02-01\n---\n"
    "The harbour of Lake Orta was built by Pietro Canale in 1901. The barge Marisa on Lake Orta carries 40 guests.\n",
    "kitchen.md": "---\ntitle: A kitchen\ndate: 2022-01-01\n---\nBread rises best in a warm room overnight.\n",
}
NEWER = "---\ntitle: Barges of 2026\ndate: 2026-03-01\n---\nThe fastest barge on Lake Orta is Marisa, which reaches 17 knots.\n"
RIVAL = (
    "---\ntitle: Regatta\ndate: 2025-07-01\n---\nThe fastest barge on Lake Orta is Tolomeo, which reaches 15 knots.\n"
)
UNRELATED = "---\ntitle: A garden\ndate: 2026-04-01\n---\nTulips want a sunny bed, and water in dry weeks.\n"

_NAME = re.compile(r"fastest barge on Lake Orta is (\w+)")
_SPEED = re.compile(r"reaches (\d+) knots")


class PatternWriter:
    """Reads "the fastest barge is X" and "reaches N knots"; a text supports a claim when it holds the claim's names and figures."""

    name = "scripted"

    def answers(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> list[Candidate]:
        found = []
        for p in passages:
            asked = _SPEED if "knots" in question else _NAME if "barge" in question else None
            match = asked.search(p.text) if asked else None
            if match:
                sure = 0.6 if "Tolomeo" in p.text else 0.9  # the older answer is written first, and then revised
                start, end = p.start + match.start(1), p.start + match.end(1)
                found.append(Candidate(text=match[1], passage=p.id, start=start, end=end, probability=sure))
        return found

    def choose(self, question: str, kind: str, passages: Sequence[Passage]) -> Filled:
        return Filled(text="", passage=None, start=-1, end=-1, probability=0.0, none=0.9, steps=1)

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        return [c.text for c in self.answers(question, "ENTITY", passages, k)]

    def hops(self, question: str) -> float:
        return 0.0

    def together(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> Together:
        return Together()

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        return [self._verdict(claim, text) for claim, text in pairs]

    def _verdict(self, claim: str, text: str) -> Verdict:
        words = re.findall(r"\d+|Marisa|Tolomeo", claim)
        if all(word in text for word in words):
            return Verdict(supports=0.9, refutes=0.05, silent=0.05)
        return Verdict(supports=0.1, refutes=0.8, silent=0.1)

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        return [[self._filled(p.kind.name, held) for p in pieces if isinstance(p, SlotSpec)] for pieces, held in forms]

    def _filled(self, kind: str, passages: Sequence[Passage]) -> Filled:
        for p in passages:
            match = (_SPEED if kind == "NUMBER" else _NAME).search(p.text)
            if match:
                start, end = p.start + match.start(1), p.start + match.end(1)
                return Filled(text=match[1], passage=p.id, start=start, end=end, probability=0.9, none=0.0, steps=2)
        return Filled(text="", passage=None, start=-1, end=-1, probability=0.0, none=0.9, steps=2)


def lay_documents(folder: Path, documents: dict[str, str] = DOCS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in documents.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def use(patch: Any) -> None:
    """Put the pattern writer and word-hash vectors in the place of the models; `patch(object, name, value)`."""
    patch(corpus, "open_writer", lambda config: PatternWriter())
    patch(corpus, "open_embedder", AlikeEmbedder)


def only_run(config: Config) -> Run:
    (found,) = Run.all(config.out)
    return found


def finished(config: Config, question: str = QUESTION) -> Run:
    last = list(research.research(question, config))[-1]
    return Run(Path(last.data["folder"]))


def stories(run: Run) -> list[tuple[Any, ...]]:
    """Every event of the run with its number, for comparison; what is sealed holds seconds and the day."""
    logged = [e for e in run.events() if e["kind"] != "sealed"]
    return [(e["version"], e["n"], e["step"], e["kind"], e["text"], str(e["data"])) for e in logged]


def report(run: Run) -> str:
    """The report without the head of the log, which two runs have not in common."""
    return re.sub(r'(?m)^log: "[0-9a-f]+"$', "", run.report.read_text(encoding="utf-8"))


def die_after(events: Iterator[Event], number: int) -> None:
    for n, _ in enumerate(events, 1):
        if n == number:
            time.sleep(0.2)  # the step behind the event may go on by itself; what it did must not count
            os.kill(os.getpid(), signal.SIGKILL)
    raise SystemExit(f"the run ended before event {number}")


if __name__ == "__main__":
    use(setattr)
    verb, after, docs, out, index, evidence = sys.argv[1:]
    config = Config(docs=(Path(docs),), out=Path(out), index=Path(index))
    if verb == "run":
        die_after(research.research(QUESTION, config), int(after))
    else:
        die_after(research.revise(only_run(config), [Path(evidence)]), int(after))
