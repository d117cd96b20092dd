"""Questions that take several looks: what is read with the passages of all of them on one canvas."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.retrieval.types import Passage

from .hypotheses import Edge, Relation
from .numbers import NOTHING, Numbers, log_odds, probability
from .state import ResearchState, SubQuestion, Together, Tools
from .watching import at

SHOWN = 12  # passages on one canvas: what the first search found and what the names in it led to
READ = 6  # readings of it that are kept
TOGETHER = "together, round "  # after the question's id the source of what was read so


def takes_several(tools: Tools, text: str) -> bool:
    """Whether the model's slot for scope says that a question takes more than one look."""
    return bool(tools.numbers.hops) and tools.writer.hops(text) > 1 / 2


def read(state: ResearchState, tools: Tools, question: SubQuestion, text: str, passages: Sequence[Passage]) -> Together:
    """What is read with the passages that were found first on one canvas."""
    order = {f.passage: n for n, f in reversed(list(enumerate(state.finds)))}
    shown = sorted(passages, key=lambda p: order.get(p.id, len(state.finds)))[:SHOWN]
    writer = at(tools, f"{question.id}.block", [[f"{question.id}.answer"]], "hops together")
    return writer.together(text, question.kind, shown, READ)


def weighed(state: ResearchState, numbers: Numbers, question: SubQuestion, found: Together) -> ResearchState:
    """The last reading takes the place of the one before: each answer gains what it says of it now, and so does "nothing"."""
    likely = {c.text: c.probability for c in reversed(found.answers)}
    name, edges = f"{_name(question)}{state.round}", []
    for rival in state.graph.answers(question.id):
        before = sum(
            e.weight for e in state.graph.edges if e.target == rival.id and e.source.startswith(_name(question))
        )
        now = numbers.hops * (log_odds(likely[rival.text]) - NOTHING) if rival.text in likely else 0.0
        if now != before:
            relation = Relation.SUPPORTS if now > before else Relation.REFUTES
            edges.append(Edge(source=name, relation=relation, target=rival.id, weight=now - before))
    nothing = found.none >= max(likely.values(), default=0.0)
    edges.append(Edge(source=name, relation=Relation.REFUTES if nothing else Relation.SUPPORTS, target=question.id))
    return state.model_copy(update={"graph": state.graph.link(*edges)})


def chance(state: ResearchState, numbers: Numbers, question: str, belief: float) -> float:
    """The probability that an answer is right that was believed so when it was written, in log-odds.

    Readings of several hops on one canvas agree with each other more often than with the truth: their belief is turned.
    """
    together = any(e.source.startswith(f"{question} {TOGETHER}") for e in state.graph.edges)
    return probability(numbers.hop_slope * belief + numbers.hop_offset if together else belief)


def _name(question: SubQuestion) -> str:
    return f"{question.id} {TOGETHER}"
