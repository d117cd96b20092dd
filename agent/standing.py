"""How a statement stands, in words: which independent sources say it, and who says otherwise."""

from __future__ import annotations

from palimpsest.retrieval.copies import clusters
from palimpsest.retrieval.types import is_unnamed

from .dates import is_later
from .hypotheses import Hypothesis, Relation
from .state import Conflict, ResearchState

_NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
)


def supporting(state: ResearchState, hypothesis: Hypothesis) -> list[str]:
    """The passages in which a hypothesis was read: its own first."""
    held = {p.id for p in state.evidence}
    edges = [e for e in state.graph.edges if e.target == hypothesis.id and e.relation is Relation.SUPPORTS]
    agreeing = [e.source for e in edges if e.source in held]
    return list(dict.fromkeys((*(s.passage for s in hypothesis.support), *agreeing)))


def independent(state: ResearchState, hypothesis: Hypothesis) -> int:
    """How many independent sources say it; copies of one text count once."""
    if hypothesis.computation:
        return 1  # one table, however many of its rows were used
    number = clusters([state.passage(p) for p in supporting(state, hypothesis)])
    return len(set(number.values()))


def counted(count: int) -> str:
    """So many independent sources, in words."""
    several = count != 1
    number = _NUMBERS[count] if count < len(_NUMBERS) else str(count)
    return f"{number} {'independent ' if several else ''}source{'s' if several else ''}"


def standing(state: ResearchState, hypothesis: Hypothesis) -> str:
    """How a statement stands: of a cell its column, which has the unit; independent sources counted; what others say of it."""
    column = _column(state, hypothesis)
    words = f"“{column}”; " * bool(column) + counted(independent(state, hypothesis))
    against = disputes(state, hypothesis)
    if not against:
        return words
    older = all(_is_older(state, c) for c in against)
    return f"{words}; an older source says otherwise" if older else f"{words}; disputed"


def _column(state: ResearchState, hypothesis: Hypothesis) -> str:
    """The name of the column, or of the field of a form, whose cell an answer is; "" of another."""
    if hypothesis.computation:
        return ""  # its sentence names the column
    own = hypothesis.support[0]
    cells = state.passage(own.passage).cells
    return next((c.name for c in cells if (c.start, c.end) == (own.start, own.end) and not is_unnamed(c.name)), "")


def disputes(state: ResearchState, hypothesis: Hypothesis) -> list[Conflict]:
    """The listed conflicts about a hypothesis, or about the claim that it was read from."""
    names = {hypothesis.id, *(e.source for e in state.graph.edges if e.target == hypothesis.id)}
    banned = {p.id for p in state.withdrawn}
    return [c for c in state.conflicts if c.hypothesis in names and not banned & {c.kept.passage, c.other.passage}]


def _is_older(state: ResearchState, conflict: Conflict) -> bool:
    """Whether the side that was not kept is of an older source."""
    kept, other = (state.passage(side.passage).source.date for side in (conflict.kept, conflict.other))
    return bool(kept and other) and is_later(str(kept), str(other))
