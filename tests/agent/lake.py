"""The world of open reports in tests: four passages on barges of a lake, and a reader that knows three topics."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent.computing import Operation
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.state import Budget, Form, ResearchState, Side, Steps, SubQuestion, Tools
from palimpsest.agent.weighing import FUTURE
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Hit, Passage, Source

from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage

TOPICS = ("salt", "wind", "crew")
SALT = passage("Salt cargo pays well on the lake. Salt cargo fills most barges of Orta.", "Salt", "2024")
MORE_SALT = passage("The price of salt cargo rose on the lake in spring.", "More salt", "2025")
WIND = passage("North wind stops barges on the lake. North wind blows in March.", "Wind", "2024")
CREW = passage("A crew of four sails a barge on the lake. The crew sleeps on board.", "Crew", "2024")
QUESTION = "What shapes the trade on the lake?"
OPEN = SubQuestion(id="q1", text=QUESTION, asked=QUESTION, form="open")


class TopicReader:
    """Chooses sentences that name a topic, but for the `unwanted` once four passages are found; vectors tell the topics of a text."""

    def __init__(
        self, things: tuple[str, ...] = (), unwanted: str = "", form: Form = "open", attributes: tuple[str, ...] = ()
    ) -> None:
        self.things, self.unwanted, self.form, self.attributes = things, unwanted, form, attributes

    def plan(self, question: str) -> list[SubQuestion]:
        whole = SubQuestion(id="q1", text=question, asked=question, form=self.form, things=self.things)
        return [whole.model_copy(update={"attributes": self.attributes})]

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        pieces = [Sentence(h.passage, a, b, n) for n, h in enumerate(found, 1) for a, b in h.passage.sentences]
        wanted = [p for p in pieces if any(t in p.text.lower() for t in TOPICS)]
        if self.unwanted and len(found) > 3:
            wanted = [p for p in wanted if self.unwanted not in p.text]
        return [Chosen((p,), 1.0 - 0.01 * n) for n, p in enumerate(wanted)]

    def nearest(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        return []

    def sides(self, question: str, chosen: Sequence[Chosen]) -> list[Side]:
        return ["against" if "wind" in c.text else "for" if "Salt" in c.text else "" for c in chosen]

    def cells(
        self, things: Sequence[str], attributes: Sequence[str], found: Sequence[Hit]
    ) -> dict[tuple[str, str], Chosen]:
        pieces = [Sentence(h.passage, a, b, n) for n, h in enumerate(found, 1) for a, b in h.passage.sentences]
        held: dict[tuple[str, str], Chosen] = {}
        for thing in things:
            for attribute in attributes:
                fit = [p for p in pieces if thing in p.text.lower() and attribute in p.text.lower()]
                held.update({(thing, attribute): Chosen((fit[0],), 1.0)} if fit else {})
        return held

    def is_near(self, words: str, texts: Sequence[str]) -> bool:
        return "lake" in words or "viaduct" in words

    def is_topic(self, question: str, *names: str) -> bool:
        return not any("understanding" in name for name in names)

    def is_apart(self, question: str, name: str, texts: Sequence[str]) -> bool:
        return False

    def aims(self, chosen: Sequence[Chosen], read: Sequence[Passage]) -> list[bool]:
        return [c.text.startswith("We mean to") for c in chosen]

    def studies(self, read: Sequence[Passage]) -> set[str]:
        return {p.source.id for p in read if "trial" in p.source.title}

    def beyond(self, question: str) -> str:
        return FUTURE if "2090" in question else ""

    def unreported(self, question: str, found: Sequence[Hit]) -> list[Source]:
        return [h.passage.source for h in found if "is planned" in h.passage.text]

    def wholeness(self, texts: Sequence[str]) -> dict[str, float]:
        return {}

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.array([[0.01 + 1.0 * (t in text.lower()) for t in TOPICS] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class NoTables:
    belief = 0.9

    def operation(self, question: str) -> Operation:
        return "value"

    def tables(self, passages: Sequence[Passage]) -> list[Table]:
        return []

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]:
        return []

    def column(self, words: str, columns: Sequence[str]) -> str:
        return ""

    def read(self, *asked: object) -> None:
        return None


def run(reader: TopicReader, *held: Passage, **budget: int) -> ResearchState:
    tools = Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, reader)
    return finish(ResearchState(question=QUESTION, budget=Budget(**budget)), tools)[1]


def states(writing: Steps) -> list[ResearchState]:
    while True:
        try:
            next(writing)
        except StopIteration as stop:
            return [stop.value]


def sentences_with(held: Passage, *scores: float) -> Chosen:
    """All sentences of a passage as one quotation."""
    places = zip(held.sentences, scores, strict=True)
    return Chosen(tuple(Sentence(held, a, b, 1, score) for (a, b), score in places), max(scores))


class WholePassages(TopicReader):
    """Quotes every passage as one quotation."""

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        return [
            Chosen(tuple(Sentence(h.passage, a, b, n) for a, b in h.passage.sentences), 1.0)
            for n, h in enumerate(found, 1)
        ]
