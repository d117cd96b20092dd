"""The agent's reader: how a question is asked, and which sentences belong in its report, by weights fitted beside the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent import asking, questions, selection
from palimpsest.agent.selection import Chosen, ReportWeights, Scored
from palimpsest.agent.state import SubQuestion
from palimpsest.retrieval.chunks import sentences
from palimpsest.retrieval.types import Hit

# Probabilities that a question does not ask for a fact, as the classifier of its wording gives them: below the first it is asked for
# one answer, from the second only for sections, between them for both, and what is sure stays.
MAYBE_OPEN, SURELY_OPEN = 0.6, 0.95


class Embeds(Protocol):
    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]: ...


class SelectingReader:
    """Plans by the wording of the question and chooses sentences with an embedder; it needs no model that writes."""

    def __init__(self, embedder: Embeds, fitted: ReportWeights):
        self._embedder, self._fitted = embedder, fitted
        self._classify = asking.by_wording(fitted.kinds)

    def plan(self, question: str) -> list[SubQuestion]:
        """The parts that ask for a fact, an open question for the whole, or both where the wording leaves it unsure."""
        openness = max(map(self._openness, selection.asking(question)))
        facts = questions.subquestions(question) if openness < SURELY_OPEN else []
        if openness < MAYBE_OPEN:
            return facts
        parts = asking.asked(question, self._classify)
        tentative = [q.model_copy(update={"tentative": True}) for q in facts]
        whole = SubQuestion(id=f"q{len(facts) + 1}", text=question, asked=question, form="open", things=parts.things)
        return [*tentative, whole]

    def _openness(self, clause: str) -> float:
        """The probability that a clause does not ask for a fact; one that asks for a figure does."""
        return 0.0 if questions.asked_kind(clause) == "NUMBER" else 1.0 - self._classify(clause)["fact"]

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        """The sentences of the report, best first, with the sentence before where one leans on it."""
        pieces = selection.sentences_of(found, sentences)
        if not pieces:
            return []
        asked = self.vectors(selection.asking(question))
        vectors = self.vectors([p.text for p in pieces])
        table = selection.described(question, pieces, asked, vectors, self._fitted.parts)
        scores = selection.scores(table, self._fitted.selection)
        scored = [Scored(p, float(s), v) for p, s, v in zip(pieces, scores, vectors, strict=True)]
        chosen = selection.select(scored, characters, self._fitted.selection.stop)
        return [selection.standing(c, sentences) for c in chosen]

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._embedder.embed(list(texts))
