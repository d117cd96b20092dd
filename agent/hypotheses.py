"""The hypothesis graph: rival answers and claims, what speaks for and against each, and belief in log-odds."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from palimpsest.retrieval.types import Frozen

from .computing import Computation
from .draft import Support
from .numbers import probability


class Relation(StrEnum):
    SUPPORTS = "supports"  # a passage, a hypothesis
    REFUTES = "refutes"  # a passage or a rival, a hypothesis
    REFINES = "refines"  # a claim, an answer it says more about
    ANSWERS = "answers"  # a hypothesis, a sub-question
    DEPENDS_ON = "depends_on"  # a sub-question, another whose answer it needs


_SAID = (Relation.SUPPORTS, Relation.REFUTES)


class Hypothesis(Frozen):
    """A statement that may hold. `belief` is the log-odds of an answer; `support` the words it was read from."""

    id: str
    question: str  # the sub-question's id
    text: str  # the answer, or the claim's sentence
    kind: Literal["answer", "claim"]
    support: tuple[Support, ...]
    belief: float = 0.0
    read: float = 0.0  # the probability that the model gave an answer where it read it
    place: float = 0.0  # what of that an answer has for where it stands among what was read
    is_end: bool = False  # of a chain: where it stands need not speak of what is asked about
    status: Literal["open", "held", "refuted"] = "open"
    computation: Computation | None = None  # of an answer that was computed over the rows of a table

    @property
    def probability(self) -> float:
        return probability(self.belief)


class Edge(Frozen):
    """`source` (a passage or node id) stands in `relation` to `target` (a node id); `weight` is the shift in log-odds."""

    source: str
    relation: Relation
    target: str
    weight: float = 0.0


class Rivalry(Frozen):
    """The rivals of one blank as branches of one canvas, on which `passages` lie: their `posteriors` by hypothesis, that of `nothing`
    and that of `other` words are shares of one distribution. Beside belief, which is summed over all that was read.
    """

    question: str
    passages: tuple[str, ...]
    posteriors: dict[str, float]
    nothing: float
    other: float


class HypothesisGraph(Frozen):
    """Nodes by id, in the order they were found; of each sub-question the latest rivalry. A graph is a value: each method returns a
    new one.
    """

    hypotheses: tuple[Hypothesis, ...] = ()
    edges: tuple[Edge, ...] = ()
    rivalries: tuple[Rivalry, ...] = ()

    def get(self, hypothesis_id: str) -> Hypothesis:
        return next(h for h in self.hypotheses if h.id == hypothesis_id)

    def answers(self, question: str) -> list[Hypothesis]:
        """The rival answers of a sub-question, the most believed first; ties in the order found."""
        rivals = [h for h in self.hypotheses if h.question == question and h.kind == "answer"]
        return sorted(rivals, key=lambda h: -h.belief)

    def nothing(self, question: str) -> bool:
        """Whether it was last read that more likely nothing that is held answers a sub-question."""
        said = (e for e in reversed(self.edges) if e.target == question and e.relation in _SAID)
        last = next(said, None)
        return last is not None and last.relation is Relation.REFUTES

    def claims(self, question: str) -> list[Hypothesis]:
        return [h for h in self.hypotheses if h.question == question and h.kind == "claim"]

    def put(self, *hypotheses: Hypothesis) -> HypothesisGraph:
        """Add hypotheses, or replace those of the same id in place."""
        fresh = {h.id: h for h in hypotheses}
        kept = tuple(fresh.pop(h.id, h) for h in self.hypotheses)
        return self.model_copy(update={"hypotheses": kept + tuple(fresh.values())})

    def rivalry(self, question: str) -> Rivalry | None:
        """How the rivals of a sub-question stood when they were last laid on one canvas."""
        return next((r for r in self.rivalries if r.question == question), None)

    def compare(self, rivalry: Rivalry) -> HypothesisGraph:
        """The graph with this rivalry in the place of an earlier one of its sub-question."""
        others = tuple(r for r in self.rivalries if r.question != rivalry.question)
        return self.model_copy(update={"rivalries": (*others, rivalry)})

    def link(self, *edges: Edge) -> HypothesisGraph:
        """Add edges and move the belief of hypotheses they point at; an edge that is already there adds nothing."""
        known = {(e.source, e.relation, e.target) for e in self.edges}
        fresh = []
        for edge in edges:
            key = (edge.source, edge.relation, edge.target)
            if key not in known:
                known.add(key)
                fresh.append(edge)
        shift: dict[str, float] = {}
        for edge in fresh:
            shift[edge.target] = shift.get(edge.target, 0.0) + edge.weight
        moved = tuple(
            h.model_copy(update={"belief": h.belief + shift[h.id]}) if h.id in shift else h for h in self.hypotheses
        )
        return self.model_copy(update={"hypotheses": moved, "edges": self.edges + tuple(fresh)})
