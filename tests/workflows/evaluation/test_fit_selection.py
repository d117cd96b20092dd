"""Fitting what reports rest on: small data with one plain rule, which the fit must find."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from palimpsest.agent.describing import FEATURES
from palimpsest.agent.state import MOST_PASSAGES, PASSAGE_CHARACTERS, Budget
from palimpsest.agent.weighing import CONTEXT, DOCUMENTS, EFFECT, FUTURE, NO_EFFECT, OPINION, ReportWeights
from palimpsest.agent.wording import LinearText
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.types import Hit, Passage, Source
from palimpsest.workflows.calibration import report_weights
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.evaluation.fit_limits import limits
from palimpsest.workflows.evaluation.fit_selection import (
    average_precision,
    best_stop,
    chosen_anew,
    cross_validated,
    effect_rows,
    fit,
    fitted,
    measured,
    part_rows,
    passages_read,
    pools,
)
from palimpsest.workflows.evaluation.linear_fit import linear_text, logistic
from palimpsest.workflows.evaluation.open_questions import OpenData, read_data
from palimpsest.workflows.evaluation.open_score import OpenFigures

from .test_open_questions import TEXTS, folder  # noqa: F401

NAMES = ("overlap", "cosine", "late")


@dataclass(frozen=True)
class Shelf:
    """Passages in the order in which every search finds them."""

    passages: list[Passage]

    def search(self, query: str, k: int) -> list[Hit]:
        return [Hit(passage=p, score=1.0, rank=n) for n, p in enumerate(self.passages[:k], 1)]


def statement(text: str, number: int) -> Passage:
    source = Source(id=f"s{number}", uri=f"note:{number}", title="T", sha256="s" * 64)
    return Passage(id=f"s{number}-0", source=source, text=text, start=0, end=len(text))


PARTS = LinearText(labels=("conclusion", "result"), offsets=(0.0, 0.0), weights=((0,) * 8, (0,) * 8))


def test_logistic_regression_meets_its_own_conditions() -> None:
    """At the optimum the gradient is zero: weighted residuals against each feature equal the penalty's pull."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(200, 3))
    right = (table[:, 0] + rng.normal(size=200) > 0.5).astype(float)
    importance = rng.uniform(0.5, 1.5, size=200)
    weights, offset = logistic(table, right, importance, 2.0)
    residual = importance * (right - 1 / (1 + np.exp(-(table @ weights + offset))))
    assert table.T @ residual == pytest.approx(2.0 * weights, abs=1e-6)
    assert residual.sum() == pytest.approx(0, abs=1e-4)
    assert weights[0] > 5 * abs(weights[1:]).max()


def test_wording_is_learnt_and_rare_labels_weigh_as_much_as_common_ones() -> None:
    rows = [("why did it fall", "reason")] * 3 + [("who built it", "fact")] * 40 + [("who fell", "fact")] * 40
    model = linear_text([t for t, _ in rows], [k for _, k in rows], 256)
    guessed = [model.labels[n] for n in model.probabilities(["why was it built", "who was it"]).argmax(axis=1)]
    assert guessed == ["reason", "fact"]


def test_sentences_take_the_part_their_authors_gave_them() -> None:
    article = {
        "pmcid": "PMC1",
        "abstract": [
            {"heading": "Results", "text": "Alder lasted for three hundred years. Oak lasted for ten years only."},
            {"heading": "Funding", "text": "The ministry of piers paid for all of it."},
        ],
    }
    assert [label for _, label in part_rows([article], set())] == ["result", "result"]
    assert list(part_rows([article], {"1"})) == []


def test_words_and_vectors_are_learnt_together() -> None:
    """Both texts are the same words; only their vectors tell them apart."""
    vectors = np.array([[1, 0], [0, 1]] * 20, dtype=np.float32)
    model = linear_text(["it fell"] * 40, ["one", "other"] * 20, 64, vectors)
    assert model.probabilities(["it fell"] * 2, vectors[:2]).argmax(axis=1).tolist() == [0, 1]
    assert model.probabilities(["it fell"])[0] == pytest.approx([0.5, 0.5], abs=0.02)


def test_findings_are_effects_or_none_as_people_judged_them() -> None:
    rows = [
        {"pmcid": "PMC1", "label": "no significant difference", "evidence": ["Both did the same."]},
        {"pmcid": "PMC2", "label": "significantly increased", "evidence": ["It rose.", "It rose again."]},
        {"pmcid": "PMC3", "label": "invalid prompt", "evidence": ["?"]},
    ]
    assert [label for _, label in effect_rows(rows, set())] == [NO_EFFECT, EFFECT, EFFECT]
    assert [text for text, _ in effect_rows(rows, {"2"})] == ["Both did the same."]


@pytest.fixture
def data(folder: Path) -> OpenData:  # noqa: F811
    return read_data(folder)


@pytest.fixture
def index(data: OpenData, tmp_path: Path) -> Index:
    held = Index.open(tmp_path / "index", HashEmbedder())
    held.add_documents(data.documents)
    return held


def test_pools_know_which_sentences_are_gold(data: OpenData, index: Index) -> None:
    pool = next(pools(data, index, HashEmbedder(), PARTS))
    gold = {s.text for s, right in zip(pool.sentences, pool.right, strict=True) if right}
    assert gold == {
        "Under water it lasts for centuries.",
        "Oak posts cost twice as much as alder posts.",
        TEXTS["c"],
    }  # "Oak posts last in air." is shorter than any sentence that is read
    assert pool.table.shape == (len(pool.sentences), len(FEATURES))


def test_fitted_weights_put_gold_first_and_are_measured_by_the_scorer(data: OpenData, index: Index) -> None:
    pooled = list(pools(data, index, HashEmbedder(), PARTS)) * 2
    weights, rows, found = fitted(pooled, NAMES, data)
    assert (weights.first.features, weights.second.features) == (NAMES, CONTEXT)
    assert 0 < found["average_precision"] <= 1
    assert found["vital_recall"] == pytest.approx(np.mean([r.vital_recall for r in rows]))
    scored = cross_validated(pooled, NAMES)
    assert [len(s) for s in scored] == [len(p.sentences) for p in pooled]
    everything = measured(pooled[:1], [pooled[0].right], 0.0, data)[0]
    assert (everything.vital_recall, everything.broken) == (0.5, 0)
    assert fit(pooled, NAMES, 0.1).stop == 0.1


def test_average_precision_by_hand() -> None:
    right, scores = np.array([1.0, 0.0, 1.0]), np.array([3.0, 2.0, 1.0])
    assert average_precision(right, scores) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(2), np.zeros(2)) is None


def test_the_stop_is_the_latest_that_keeps_the_precision_and_the_recall(data: OpenData, index: Index) -> None:
    pool = next(pools(data, index, HashEmbedder(), PARTS))
    (one,) = measured([pool], [pool.right], 0.9, data)

    def changed(lost: float = 0.0, precision: float = 0.9) -> list[OpenFigures]:
        assert one.vital_recall is not None
        return [one.model_copy(update={"vital_recall": one.vital_recall - lost, "precision": precision})]

    assert best_stop({0.0: changed(precision=0.1), 0.1: changed(), 0.3: changed(lost=0.004)}) == 0.3
    assert best_stop({0.0: changed(precision=0.1), 0.1: changed(), 0.3: changed(lost=0.006)}) == 0.1
    assert best_stop({0.0: changed(precision=0.1), 0.1: changed(lost=0.006)}) == 0.1, "what is imprecise sets no mark"
    assert best_stop({0.0: changed(precision=0.1)}) == 0.0


def test_as_many_passages_are_fitted_on_as_a_run_reads() -> None:
    """Of long ones the budget's own number; of statements as many more as make the same text."""

    def read(characters: int) -> int:
        searcher = Shelf([statement(f"{n}".ljust(characters, "x"), n) for n in range(300)])
        return len(passages_read(searcher, "Which?"))

    assert read(PASSAGE_CHARACTERS) == Budget().reading
    assert read(PASSAGE_CHARACTERS // 2) == 2 * Budget().reading
    assert read(10) == MOST_PASSAGES * Budget().reading


def test_only_the_choice_is_fitted_anew(data: OpenData, tmp_path: Path) -> None:
    held = report_weights()
    found = chosen_anew(held, data, tmp_path, HashEmbedder())
    assert found.selection.first != held.selection.first
    assert found.model_copy(update={"selection": held.selection, "measured": {}, "origins": {}}) == held.model_copy(
        update={"measured": {}, "origins": {}}
    )
    assert found.measured["kind_fact"] == held.measured["kind_fact"]
    assert found.measured["vital_recall"] != held.measured["vital_recall"]
    assert {name for name in found.origins if name.startswith("selection.")} == {"selection.passages"}


def test_the_shipped_weights_load_and_know_every_feature(tmp_path: Path) -> None:
    weights = report_weights()
    assert isinstance(weights, ReportWeights)
    assert set(weights.selection.first.features) <= set(FEATURES)
    assert weights.selection.second.features == CONTEXT
    assert {"result", "conclusion"} <= set(weights.parts.labels)
    assert weights.effects is not None
    assert set(weights.effects.labels) == {EFFECT, NO_EFFECT}
    assert weights.measured["vital_recall"] > 0.6
    with pytest.raises(ResearchError, match="is missing"):
        report_weights(tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "selection.json").write_text("{}")
    with pytest.raises(ResearchError, match="damaged"):
        report_weights(tmp_path / "broken")


def test_frames_teach_what_lies_ahead_and_what_is_taste() -> None:
    """Held to questions in none of the frames; the contrast is what people ask of documents."""
    asked = ["who built the pier of orta", "when was the barge sunk", "how does salt keep fish", "what is a toll"] * 20
    vectors = HashEmbedder().embed
    fitted = limits(asked, vectors(asked), ["salt", "pier", "barge", "lake"], vectors)
    found = [
        "will the toll of orta rise next year",
        "which barge do you like, and would you recommend salt",
        "when was the pier built",
    ]
    guessed = [fitted.labels[n] for n in fitted.probabilities(found, vectors(found)).argmax(axis=1)]
    assert guessed == [FUTURE, OPINION, DOCUMENTS]


def test_the_shipped_weights_know_the_limits_of_documents() -> None:
    limits_held = report_weights().limits
    assert limits_held is not None
    assert set(limits_held.labels) == {DOCUMENTS, FUTURE, OPINION}
