"""Questions that take several looks: what is read with the passages of all of them on one canvas."""

from __future__ import annotations

import re
from collections.abc import Sequence

from palimpsest.retrieval.types import Passage

from .evidence_text import content
from .hypotheses import Edge, Hypothesis, Relation
from .numbers import NOTHING, Numbers, log_odds, probability
from .state import ResearchState, SubQuestion, Together, Tools
from .watching import at

SHOWN = 12  # passages on one canvas: what the first search found and what the names in it led to
READ = 6  # readings of it that are kept
TOGETHER = "together, round "  # after the question's id the source of what was read so
CHAIN = "chain, round "  # and of what no chain leads to


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


def held(state: ResearchState, numbers: Numbers, question: SubQuestion, text: str) -> ResearchState:
    """Nothing answers where the chain of the most believed answer speaks of too few of the words asked: one of its ends lacks."""
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted" and h.computation is None]
    if not rivals or spoken_of(state, rivals[0], text) >= numbers.chained:
        return state
    broken = Edge(source=f"{question.id} {CHAIN}{state.round}", relation=Relation.REFUTES, target=question.id)
    return state.model_copy(update={"graph": state.graph.link(broken)})


def is_broken(state: ResearchState, question: SubQuestion) -> bool:
    """Whether it was last found that no chain leads from all that is asked to what was read."""
    said = [e.source for e in state.graph.edges if e.target == question.id]
    return bool(said) and said[-1].startswith(f"{question.id} {CHAIN}")


def spoken_of(state: ResearchState, answer: Hypothesis, text: str) -> float:
    """The share of a question's words that an answer's passage holds together with one that it names or that names it."""
    wanted, own = content(text), state.passage(answer.support[0].passage)
    beside = [p for p in state.firm if leads_on(own, p, text) or leads_on(p, own, text)]
    said = _said(own)
    return max(len(wanted & (said | _said(p))) for p in (own, *beside)) / max(len(wanted), 1)


def _said(passage: Passage) -> set[str]:
    return content(f"{passage.source.title} {passage.text}")


def leads_on(first: Passage, other: Passage, question: str) -> tuple[int, int] | None:
    """Where a text names another source that the question does not name; what tells titles apart is no name."""
    name = other.source.title.partition(" (")[0].strip()
    if first.source.id == other.source.id or not content(name) or name.casefold() in question.casefold():
        return None
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", first.text, re.IGNORECASE)
    return (first.start + found.start(), first.start + found.end()) if found else None


def chance(state: ResearchState, numbers: Numbers, question: str, belief: float) -> float:
    """The probability that an answer is right that was believed so when it was written, in log-odds.

    Readings of several hops on one canvas agree with each other more often than with the truth: their belief is turned.
    """
    together = any(e.source.startswith(f"{question} {TOGETHER}") for e in state.graph.edges)
    return probability(numbers.hop_slope * belief + numbers.hop_offset if together else belief)


def _name(question: SubQuestion) -> str:
    return f"{question.id} {TOGETHER}"
