"""The measure itself: a fake writer that reads capitalised words, five documents, figures one can count by eye."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent.draft import Kind
from palimpsest.agent.numbers import Numbers
from palimpsest.agent.state import Candidate, Filled, Piece, Together, Verdict
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.types import Passage
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.evaluation.suites import SUITES, Progress, Row, evaluate, sample, summary, to_json

FACTS = {
    "Bornholm": ("The capital of Bornholm is Roenne, a harbour town.", "Roenne"),
    "Malta": ("The capital of Malta is Valletta, a fortress town.", "Valletta"),
    "Chad": ("The capital of Chad is Ndjamena, a river town.", "Ndjamena"),
    "Fiji": ("The capital of Fiji is Suva, an island town.", "Suva"),
    "Peru": ("The capital of Peru is Lima, a coastal town.", "Lima"),
}


class FakeWriter:
    """Answers with the capital that a passage names, if the question names the passage's country; else says nothing."""

    name = "fake"

    def __init__(self, silent: str = ""):
        self.silent = silent

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        found = [self._read(question, p) for p in passages]
        return [c for c in found if c]

    def _read(self, question: str, passage: Passage) -> Candidate | None:
        country = next((c for c in FACTS if c in passage.text), "")
        if not country or country.lower() not in question.lower() or country == self.silent:
            return None
        capital = FACTS[country][1]
        start = passage.start + passage.text.index(capital)
        return Candidate(text=capital, passage=passage.id, start=start, end=start + len(capital), probability=0.9)

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled:
        return Filled(text="", passage=None, start=-1, end=-1, probability=0.0, none=0.9, steps=1)

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        return []

    def hops(self, question: str) -> float:
        return 0.0

    def together(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> Together:
        return Together()

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        return [Verdict(supports=0.8, refutes=0.1, silent=0.1) for _ in pairs]

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        return [[] for _ in forms]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    asked = {c: f"what is the capital of {c.lower()}" for c in FACTS}
    rows = [
        {"id": n, "title": c, "question": asked[c], "context": text, "answers": [name]}
        for n, (c, (text, name)) in enumerate(FACTS.items())
    ]
    write(folder / "qed_dev.jsonl.gz", rows)
    write(folder / "hotpotqa_corpus.jsonl.gz", [{"title": c, "sentences": [t]} for c, (t, _) in FACTS.items()])
    questions = [
        {"id": c, "question": asked[c], "answer": name, "gold_titles": [c, "Peru"], "gold_complete": c != "Fiji"}
        for c, (_, name) in FACTS.items()
    ]
    write(folder / "hotpotqa_questions.jsonl.gz", questions)
    return folder


def measure(name: str, data: Path, silent: str = "", **options: Any) -> tuple[list[Progress], list[Row]]:
    options = {"writer": FakeWriter(silent), "embedder": HashEmbedder(), **options}
    found = list(evaluate(SUITES[name], data, data.parent / "index", **options))
    return [f for f in found if isinstance(f, Progress)], [f for f in found if isinstance(f, Row)]


def test_each_answer_is_compared_with_its_gold_document(data: Path) -> None:
    progress, rows = measure("wikipedia", data)
    assert progress[-1] == Progress(done=5, total=5)
    assert len(rows) == 5
    assert all(r.exact == r.f1 == r.references_gold == r.retrieved_gold == 1 and r.cites_gold for r in rows)
    assert all(r.canvases >= 5 and r.rounds >= 1 and r.confidence is not None for r in rows)


def test_not_established_scores_nothing_and_counts_as_abstained(data: Path) -> None:
    _, rows = measure("wikipedia", data, silent="Malta")
    (open_row,) = [r for r in rows if not r.answer]
    assert (open_row.exact, open_row.f1, open_row.cites_gold, open_row.confidence) == (0, 0, False, None)
    figures = summary(rows)
    assert figures["abstained"] == pytest.approx(20)
    assert (figures["exact"], figures["exact_answered"]) == (80, 100)


def test_hotpotqa_asks_complete_questions_and_counts_both_gold_titles(data: Path) -> None:
    _, rows = measure("hotpotqa", data, limit=0)
    assert [r.id for r in rows] == ["Bornholm", "Malta", "Chad", "Peru"]
    malta = rows[1]
    assert (malta.exact, malta.cites_gold, malta.retrieved_gold) == (1, True, 1)
    assert malta.references_gold in (0.5, 1.0)


def test_a_yes_or_no_counts(data: Path) -> None:
    """The verdict stands in no source, and every such question of hotpotqa scored nothing."""
    asked = {"yes": "Is Lima the capital of Peru?", "no": "Is Lima the capital of Peru, a coastal town?"}
    rows = [
        {"id": name, "question": question, "answer": name, "gold_titles": ["Peru"], "gold_complete": True}
        for name, question in asked.items()
    ]
    write(data / "hotpotqa_questions.jsonl.gz", rows)
    _, found = measure("hotpotqa", data, limit=0, numbers=Numbers(says=0.7))
    assert [(r.answer, r.exact, r.confidence) for r in found] == [("yes", 1.0, None), ("yes", 0.0, None)]
    assert all(r.cites_gold for r in found)
    figures = summary(found)
    assert (figures["exact"], figures["abstained"]) == (50, 0)
    _, silent = measure("hotpotqa", data, limit=0, numbers=Numbers(says=0.9))
    assert [(r.answer, r.exact, r.cites_gold) for r in silent] == [("", 0.0, False)] * 2


def test_incomplete_asks_those_of_which_a_gold_introduction_lacks(data: Path) -> None:
    _, rows = measure("incomplete", data, limit=0)
    assert [r.id for r in rows] == ["Fiji"]
    _, silent = measure("incomplete", data, silent="Fiji", limit=0)
    assert [summary(found)["abstained"] for found in (rows, silent)] == [0, 100]


def test_the_seed_draws_the_questions(data: Path) -> None:
    questions = SUITES["wikipedia"].questions(data)
    assert sample(questions, 3, seed=1) == sample(questions, 3, seed=1)
    assert len(sample(questions, 99, seed=0)) == 5
    assert sample(questions, 0, seed=7) == questions
    with pytest.raises(ResearchError, match="limit -1"):
        sample(questions, -1, seed=0)


def test_pages_join_as_a_haystack_and_a_second_run_adds_nothing(data: Path, tmp_path: Path) -> None:
    page = {"title": "Gull", "paragraphs": [["", "Gulls are birds of the coast."], ["Food", "Gulls eat fish."]]}
    write(tmp_path / "pages.jsonl.gz", [page])
    for _ in range(2):
        progress, _ = measure("wikipedia", data, limit=1, pages=tmp_path / "pages.jsonl.gz")
        assert progress[-1].total == 6
        with Index.open(tmp_path / "index", HashEmbedder()) as index:
            assert index.info().num_documents == 6
            assert index.search_lexical("gulls fish", 1)[0].passage.source.title == "Gull"
    with pytest.raises(ResearchError, match="leave --pages out"):
        measure("hotpotqa", data, pages=tmp_path / "pages.jsonl.gz")


def test_contexts_of_one_title_stay_apart_and_copies_count_once(data: Path) -> None:
    rows = [
        {"id": 1, "title": "Malta", "question": "a", "context": "Malta is an island.", "answers": ["island"]},
        {"id": 2, "title": "Malta", "question": "b", "context": "Malta is a state.", "answers": ["state"]},
        {"id": 3, "title": "Malta", "question": "c", "context": "Malta is a state.", "answers": ["state"]},
    ]
    write(data / "qed_dev.jsonl.gz", rows)
    assert len(SUITES["wikipedia"].documents(data, None)) == 2
    golds = [q.gold for q in SUITES["wikipedia"].questions(data)]
    assert golds[1] == golds[2] != golds[0]


def test_missing_and_damaged_files_are_named(data: Path) -> None:
    (data / "hotpotqa_corpus.jsonl.gz").unlink()
    (data / "qed_dev.jsonl.gz").write_bytes(b"not gzip")
    with pytest.raises(ResearchError, match=r"hotpotqa_corpus\.jsonl\.gz does not exist"):
        measure("hotpotqa", data)
    with pytest.raises(ResearchError, match=r"qed_dev\.jsonl\.gz cannot be read"):
        measure("wikipedia", data)


def row(exact: float, confidence: float | None, seconds: float = 1.0) -> Row:
    return Row(
        id="", question="", gold_answers=("x",), answer="x" if confidence else "", confidence=confidence, exact=exact, f1=exact,
        cites_gold=False,
        references_gold=0.5, retrieved_gold=1, rounds=2, canvases=4, seconds=seconds,
    )  # fmt: skip


def test_summary_by_hand() -> None:
    figures = summary([row(1, 0.9, 1), row(0, 0.6, 2), row(0, None, 9)])
    assert figures["exact"] == pytest.approx(100 / 3)
    assert figures["exact_answered"] == 50
    assert figures["seconds_median"] == 2
    assert figures["auroc"] == 1
    assert figures["ece"] == pytest.approx((0.1 + 0.6) / 2)


def test_figures_that_cannot_be_told_are_left_out_of_the_json() -> None:
    assert summary([]) == {"n": 0}
    written = json.loads(to_json([row(0, None)], {"suite": "wikipedia"}))
    assert written["settings"] == {"suite": "wikipedia"}
    assert "exact_answered" not in written["summary"]
    assert "auroc" not in written["summary"]
    assert not any(math.isnan(v) for v in written["summary"].values())
    assert len(written["rows"]) == 1
