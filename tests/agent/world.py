"""A writer that reads by pattern and can be told what to say, passages made by hand, and a search over them."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Sequence

from palimpsest.agent import loop
from palimpsest.agent.evidence_text import content
from palimpsest.agent.numbers import Numbers
from palimpsest.agent.state import (
    Budget,
    Candidate,
    Event,
    Filled,
    Piece,
    ResearchState,
    Steps,
    Together,
    Tools,
    Verdict,
)
from palimpsest.dlm_core.kinds import MaskKind, SlotSpec, typed_spans
from palimpsest.retrieval.chunks import sentences
from palimpsest.retrieval.types import Failure, Found, Hit, Passage, Source
from palimpsest.workflows.calibration import numbers_of
from palimpsest.workflows.rendering import markdown
from tests.embedders import AlikeEmbedder

NUMBERS: Numbers = numbers_of("embedded")


def passage(text: str, title: str = "", date: str | None = None) -> Passage:
    digest = hashlib.sha256(text.encode()).hexdigest()
    source = Source(id=digest[:12], uri=f"test:{digest[:6]}", title=title or text[:20], date=date, sha256=digest)
    return Passage(
        id=f"{source.id}-0", text=text, source=source, start=0, end=len(text), sentences=tuple(sentences(text))
    )


def report(state: ResearchState) -> str:
    """The report as a reader sees it."""
    return markdown.render(state, {})


def tools(writer: ScriptedWriter, search: Shelf) -> Tools:
    return Tools(writer, search, NUMBERS, words=AlikeEmbedder(64).words)


class ScriptedWriter:
    """Answers by regular expressions given as {words of the question: pattern}; fills holes by lining up the words around them.

    `enqueue(verdict)` puts verdicts ahead of what it would say; `history` keeps the questions and claims it saw.
    """

    name = "scripted"

    def __init__(self, patterns: dict[str, str], sure: dict[str, float] | None = None):
        self.patterns, self.sure = patterns, sure or {}
        self.queue: deque[Verdict] = deque()
        self.history: list[str] = []

    def enqueue(self, *verdicts: Verdict) -> None:
        self.queue.extend(verdicts)

    def answers(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> list[Candidate]:
        self.history.append(question)
        found = []
        for p in passages:
            for asked, pattern in self.patterns.items():
                match = re.search(pattern, p.text) if asked in question else None
                if match:
                    start, end = p.start + match.start(1), p.start + match.end(1)
                    sure = self.sure.get(match[1], 0.9)
                    found.append(Candidate(text=match[1], passage=p.id, start=start, end=end, probability=sure))
        return found

    def choose(self, question: str, kind: str, passages: Sequence[Passage]) -> Filled:
        return Filled(text="", passage=None, start=-1, end=-1, probability=0.0, none=1.0, steps=1)

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        return [c.text for c in self.answers(question, "ENTITY", passages, k)]

    def hops(self, question: str) -> float:
        return 0.0

    def together(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> Together:
        return Together()

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        return [self._verdict(claim, text) for claim, text in pairs]

    def _verdict(self, claim: str, text: str) -> Verdict:
        self.history.append(claim)
        if self.queue:
            return self.queue.popleft()
        typed = [claim[a:b] for a, b, kind in typed_spans(claim) if kind is not MaskKind.LOGIC]
        agrees = all(re.search(rf"(?<![\w,.]){re.escape(t)}(?!\w|[.,]\d| million)", text) for t in typed)
        return (
            Verdict(supports=0.9, refutes=0.05, silent=0.05)
            if agrees
            else Verdict(supports=0.1, refutes=0.8, silent=0.1)
        )

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        return [self._fill(pieces, passages) for pieces, passages in forms]

    def _fill(self, pieces: Sequence[Piece], passages: Sequence[Passage]) -> list[Filled]:
        """Each hole takes the typed place of its kind that stands at the same turn in the passage."""
        filled = []
        seen: dict[str, int] = {}
        for piece in pieces:
            kinds = [k.name for _, _, k in typed_spans(piece)] if isinstance(piece, str) else [piece.kind.name]
            for kind in kinds:
                turn = seen.get(kind, 0)
                seen[kind] = turn + 1
                if isinstance(piece, SlotSpec):
                    filled.append(self._place(passages, kind, turn))
        return filled

    def _place(self, passages: Sequence[Passage], kind: str, turn: int) -> Filled:
        for p in passages:
            places = [(a, b) for a, b, k in typed_spans(p.text) if k.name == kind]
            if turn < len(places):
                a, b = places[turn]
                return Filled(
                    text=p.text[a:b],
                    passage=p.id,
                    start=p.start + a,
                    end=p.start + b,
                    probability=0.9,
                    none=0.0,
                    steps=1,
                )
        return Filled(text="", passage=None, start=-1, end=-1, probability=0.0, none=0.9, steps=1)


class Shelf:
    """A search over passages by shared words; keeps the queries it was asked. `failures` come with every answer."""

    def __init__(self, *passages: Passage, failures: tuple[Failure, ...] = (), least: int = 1):
        self.passages, self.failures, self.least = passages, failures, least
        self.history: list[str] = []

    def __call__(self, queries: Sequence[str], k: int) -> Found:
        self.history += queries
        wanted = content(" ".join(queries))
        scored = [(len(wanted & content(p.text)), p) for p in self.passages]
        hits = [Hit(passage=p, score=n) for n, p in sorted(scored, key=lambda s: -s[0]) if n >= self.least]
        return Found(hits=tuple(hits[:k]), failures=self.failures)


def finish(state: ResearchState, tools: Tools) -> tuple[list[Event], ResearchState]:
    """Every event of the plain loop and the state it ends in."""
    events, steps = [], loop.run(state, tools)
    while True:
        try:
            events.append(next(steps))
        except StopIteration as stop:
            return events, stop.value


def drained(steps: Steps) -> tuple[list[Event], ResearchState]:
    events: list[Event] = []
    while True:
        try:
            item = next(steps)
        except StopIteration as stop:
            return events, stop.value
        if isinstance(item, Event):
            events.append(item)


def research(question: str, writer: ScriptedWriter, shelf: Shelf, **budget: int) -> tuple[list[Event], ResearchState]:
    return finish(ResearchState(question=question, budget=Budget(**budget)), tools(writer, shelf))
