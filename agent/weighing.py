"""The fitted weights of reports, and how they weigh sentences: once by what they are, then by what stands around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from palimpsest.retrieval.types import Frozen

from . import thresholds
from .describing import FEATURES, beside, unit
from .sentences import Matrix, Sentence, Vectors
from .wording import LinearText

EFFECT, NO_EFFECT = "effect", "no effect"  # labels of the classifier that tells what a finding comes to
PLANNED, DONE, OTHER = "planned", "done", "other"  # labels of the classifier that tells texts of studies
DOCUMENTS, FUTURE, OPINION = "documents", "future", "opinion"  # labels of the classifier of what documents can answer

CONTEXT = (
    "score", "probability", "score_before", "score_after", "best_of_passage", "sum_of_passage", "best_of_source", "sum_of_source",
    "likely_centre", "likely_agreement", "likely_neighbours", "order",
)  # fmt: skip


class Weighing(Frozen):
    """Fitted: a row's score is the log-odds that its sentence belongs in the report.

    `mean`, `scale` and `weights` are for the features as they are, `relative` for how far a sentence stands from the others of its
    question, in standard deviations.
    """

    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    relative: tuple[float, ...]
    offset: float

    def scores(self, table: Matrix, columns: Sequence[str]) -> Matrix:
        """[n] for the rows of a table [n, len(columns)]."""
        kept = table[:, [columns.index(name) for name in self.features]]
        raw = (kept - np.array(self.mean)) / np.array(self.scale)
        found: Matrix = raw @ np.array(self.weights) + relative(kept) @ np.array(self.relative) + self.offset
        return found


class SelectionWeights(Frozen):
    """`first` weighs FEATURES, `second` CONTEXT. `passages` is how many were read to fit them.

    Taking stops where a sentence is `stop` times as likely as the best ones; `thrift` is the power of its characters by which its
    probability is divided when sentences are put in order.
    """

    first: Weighing
    second: Weighing
    stop: float = Field(ge=0, le=1)
    thrift: float = Field(default=0.0, ge=0, le=1)
    passages: int


class ReportWeights(Frozen):
    """What was fitted for reports."""

    parts: LinearText
    kinds: LinearText
    selection: SelectionWeights
    effects: LinearText | None = None  # whether a finding states an effect or NO_EFFECT
    phrases: LinearText | None = None  # whether a stretch of words is a whole phrase or cut from one
    limits: LinearText | None = None  # whether a question asks for what DOCUMENTS hold, for the FUTURE or an OPINION
    studies: LinearText | None = None  # whether a text tells of a study, PLANNED or DONE, or is an OTHER
    measured: dict[str, float] = Field(default_factory=dict)
    origins: dict[str, str] = Field(default_factory=dict)  # of the numbers that no fit gave: who set them and why


def scores(table: Matrix, sentences: Sequence[Sentence], vectors: Vectors, weights: SelectionWeights) -> Matrix:
    """[n] log-odds of the rows of `described` for the sentences of one question, with their vectors [n, d]."""
    first = weights.first.scores(table, FEATURES)
    return weights.second.scores(in_context(sentences, vectors, first), CONTEXT)


def in_context(sentences: Sequence[Sentence], vectors: Vectors, first: Matrix) -> Matrix:
    """A row of `CONTEXT` for each sentence [n, len(CONTEXT)]: its first score beside those of what surrounds it and is like it."""
    if not sentences:
        return np.zeros((0, len(CONTEXT)))
    likely = 1.0 / (1.0 + np.exp(-first))
    passages, sources = [s.passage.id for s in sentences], [s.passage.source.id for s in sentences]
    before, after = beside(sentences, first, first - 1.0)
    alike = (vectors @ vectors.T).astype(np.float64)
    np.fill_diagonal(alike, 0.0)
    columns = {
        "score": first,
        "probability": likely,
        "score_before": before,
        "score_after": after,
        **dict(zip(("best_of_passage", "sum_of_passage"), _others(passages, likely), strict=True)),
        **dict(zip(("best_of_source", "sum_of_source"), _others(sources, likely), strict=True)),
        "likely_centre": vectors @ unit((likely**2) @ vectors),
        "likely_agreement": _likely_agreement(alike, sources, likely),
        "likely_neighbours": _likely_neighbours(alike, likely),
        "order": 1.0 / (1.0 + np.argsort(np.argsort(-first, kind="stable"), kind="stable") / 10.0),
    }
    return np.column_stack([columns[name] for name in CONTEXT])


def _others(groups: Sequence[str], values: Matrix) -> tuple[Matrix, Matrix]:
    """For each row the best and the sum of the values of the others of its group; 0 where it is alone."""
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    best, total = np.zeros(len(values)), np.zeros(len(values))
    for rows in members.values():
        for row in rows:
            others = [values[other] for other in rows if other != row]
            best[row], total[row] = max(others, default=0.0), sum(others)
    return best, total


def _likely_agreement(alike: Matrix, sources: Sequence[str], likely: Matrix) -> Matrix:
    """How near the sentences of other sources are that are themselves likely."""
    names = np.array(sources)
    across = np.where(names[:, None] != names[None, :], alike, 0.0)
    found: Matrix = np.sort(across * likely[None, :], axis=1)[:, -thresholds.SHIPPED.agreeing :].mean(axis=1)
    return found


def _likely_neighbours(alike: Matrix, likely: Matrix) -> Matrix:
    """How likely the sentences nearest in meaning are."""
    weights = np.maximum(alike, 0.0) ** thresholds.SHIPPED.neighbour_power
    found: Matrix = (weights * likely[None, :]).sum(axis=1) / (weights.sum(axis=1) + thresholds.SHIPPED.neighbour_prior)
    return found


def relative(table: Matrix) -> Matrix:
    """Each column in standard deviations from its mean over the rows."""
    return (table - table.mean(axis=0)) / (table.std(axis=0) + 1e-6) if len(table) else table
