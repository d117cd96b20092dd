"""What remasking is worth: the same questions with every reason to reopen, with none, and with each one left out.

The report of a run in which nothing may be opened again is the draft before remasking: all else is equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from palimpsest.agent.draft import Span
from palimpsest.agent.hypotheses import Relation
from palimpsest.agent.loop import amend, run
from palimpsest.agent.rivals import takes_precedence
from palimpsest.agent.state import REASONS, Budget, Reason, ResearchState, Tools
from palimpsest.retrieval.types import Frozen

from .suites import last

COUNTED: tuple[Reason, ...] = ("contradicted", "unsure", "dependent", "person")
SWITCHED: tuple[Reason, ...] = ("contradicted", "unsure", "dependent")
VARIANTS: dict[str, frozenset[Reason]] = {
    "before remasking": frozenset(),
    **{f"without {reason}": frozenset(REASONS) - {reason} for reason in SWITCHED},
    "final": frozenset(REASONS),
}
OPENED = "opened by a person"  # the final report, its first open to change opened once by a person

Worth = Callable[[ResearchState], float | None]
"""A finished state to the figure that the suite is measured by; None where it has none."""


class Lift(Frozen):
    """One variant over all questions: the mean figure, contradicted statements left in the reports, revisions by reason."""

    variant: str
    worth: float
    contradicted_left: int
    revisions: dict[str, int]
    questions: int


def measure(questions: Sequence[tuple[str, Worth]], tools: Tools, budget: Budget) -> Iterator[Lift]:
    """Each variant over all questions, in the order of `VARIANTS`, and last the final reports opened by a person."""
    final: list[ResearchState] = []
    for name, reopens in VARIANTS.items():
        final = [
            last(run(ResearchState(question=text, budget=budget), replace(tools, reopens=reopens)))
            for text, _ in questions
        ]
        yield summed(name, final, [worth for _, worth in questions])
    opened = [last(run(amend(state, (), reopen=[place.id]), tools)) for state in final if (place := _place(state))]
    worths = [worth for state, (_, worth) in zip(final, questions, strict=True) if _place(state)]
    yield summed(OPENED, opened, worths)


def summed(variant: str, states: Sequence[ResearchState], worths: Sequence[Worth]) -> Lift:
    figures = [figure for state, worth in zip(states, worths, strict=True) if (figure := worth(state)) is not None]
    counts = summed_revisions(map(revisions, states))
    return Lift(
        variant=variant, worth=sum(figures) / len(figures) if figures else 0.0,
        contradicted_left=sum(map(contradicted_left, states)), revisions=counts, questions=len(states),
    )  # fmt: skip


def revisions(state: ResearchState) -> dict[str, int]:
    """How many revisions of the run each reason to reopen made."""
    return {reason: sum(r.reason == reason for r in state.revisions) for reason in COUNTED}


def summed_revisions(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Revisions by reason over many runs; a run that counted none of a reason adds none."""
    held = tuple(counts)
    return {reason: sum(c.get(reason, 0) for c in held) for reason in COUNTED}


def contradicted_left(state: ResearchState) -> int:
    """Quotations that stand although a listed conflict's other side has precedence by its date."""
    standing = {b.about: b.text for b in state.draft.blocks if b.kind in ("quotation", "statement")}
    refuted = {e.target for e in state.graph.edges if e.relation is Relation.REFUTES}
    as_of = {q.id: q.as_of for q in state.questions}
    return sum(
        conflict.kept.quote in standing.get(conflict.hypothesis, "")
        and conflict.hypothesis in refuted
        and takes_precedence(
            state, state.passage(conflict.kept.passage), state.passage(conflict.other.passage),
            as_of.get(state.graph.get(conflict.hypothesis).question, ""),
        )
        for conflict in state.conflicts
    )  # fmt: skip


def _place(state: ResearchState) -> Span | None:
    """What a person opens: the first answer, else the first words of a quotation."""
    answers = [state.draft.span(f"{q.id}.answer") for q in state.facts]
    quoted = [s for b in state.draft.blocks if b.kind == "quotation" for s in b.words]
    return next((s for s in (*answers, *quoted) if s.may_change and s.status == "filled"), None)


def table(rows: Sequence[Lift], figure: str) -> str:
    """The lifts as lines of a table."""
    names = ("variant", figure, "contradicted left", *COUNTED, "questions")
    lines = [
        (row.variant, f"{row.worth:.3f}", str(row.contradicted_left), *(str(row.revisions[c]) for c in COUNTED), str(row.questions))
        for row in rows
    ]  # fmt: skip
    widths = [max(len(line[n]) for line in (names, *lines)) for n in range(len(names))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in (names, *lines))
