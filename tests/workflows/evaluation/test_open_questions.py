"""Open questions: figures counted by hand on a made-up folder, the resumable run, and the twin scorer where the data is at hand."""

from __future__ import annotations

import gzip
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from palimpsest.agent.draft import Block, Draft, Span, Support
from palimpsest.agent.state import Budget, ResearchState, Revision
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.types import Passage
from palimpsest.workflows.errors import ResearchError
from palimpsest.workflows.evaluation.lift import summed_revisions
from palimpsest.workflows.evaluation.open_questions import (
    OpenData,
    answered,
    ask_all,
    document_id,
    evaluate_open,
    read_data,
    scored,
    shown,
    to_json,
)
from palimpsest.workflows.evaluation.open_score import (
    Citation,
    OpenFigures,
    OpenQuestion,
    OpenRow,
    bootstrap,
    by_group,
    figures,
)
from palimpsest.workflows.evaluation.suites import Progress

from .test_suites import FakeWriter

_NEAR = (parent / "shared" / "data" / "open" for parent in Path(__file__).parents)
OPEN = next((folder for folder in _NEAR if folder.is_dir()), Path("no data"))

TEXTS = {
    "a": "Alder wood rots in air. Under water it lasts for centuries. " + "Nothing of note was seen that day. " * 80,
    "b": "Oak posts cost twice as much as alder posts. They are harder to drive.\n\nOak posts last in air.",
    "c": "Venice stands on alder piles.",
}


def gold(doc: str, quote: str) -> dict[str, Any]:
    start = TEXTS[doc].index(quote)
    return {"doc": doc, "quote": quote, "start": start, "end": start + len(quote)}


def nugget(vital: bool, *places: tuple[str, str]) -> dict[str, Any]:
    return {"text": places[0][1], "vital": vital, "gold": [gold(*place) for place in places], "note": "by hand"}


QUESTION = {
    "id": "wood-1",
    "collection": "wood",
    "kind": "compare",
    "question": "How do alder and oak compare as posts?",
    "entities": ["alder", "oak", "elm"],
    "nuggets": [
        nugget(True, ("a", "Under water it lasts for centuries."), ("c", "Venice stands on alder piles.")),
        nugget(True, ("b", "Oak posts last in air.")),
        nugget(False, ("b", "Oak posts cost twice as much as alder posts.")),
    ],
}
OTHER = {**QUESTION, "id": "wood-2", "collection": "piles", "question": "What does Venice stand on?"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = [{"id": d, "title": f"Note {d}", "text": t, "collection": "wood", "date": ""} for d, t in TEXTS.items()]
    for name, rows in (("questions", [QUESTION, OTHER]), ("corpus", documents)):
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def measured(folder: Path, *citations: tuple[str, str], report: str = "") -> OpenFigures:
    row = OpenRow(
        id="wood-1", report=report, citations=tuple(Citation(doc=d, quote=q) for d, q in citations), seconds=1
    )
    data = read_data(folder)
    return figures(data.questions[0], row, data.corpus())


def test_recall_counts_nuggets_and_half_of_those_that_are_not_vital(folder: Path) -> None:
    found = measured(
        folder, ("c", "Venice stands on alder piles."), ("b", "Oak posts cost twice as much as alder posts.")
    )
    assert found.vital_recall == 0.5
    assert found.weighted_recall == pytest.approx(1.5 / 2.5)
    assert (found.precision, found.redundancy, found.broken, found.citations) == (1, 0, 0, 2)


def test_a_whole_page_finds_nothing_and_an_invented_or_misplaced_quotation_is_broken(folder: Path) -> None:
    assert measured(folder, ("a", TEXTS["a"])).weighted_recall == 0
    found = measured(folder, ("b", "Oak posts cost half as much as alder posts."), ("z", "Oak posts last in air."))
    assert (found.weighted_recall, found.precision, found.broken) == (0, 0, 2)
    half = measured(folder, ("b", "Oak posts last"))
    assert (half.vital_recall, half.broken) == (0.5, 0)  # 14 of 22 characters are more than .6
    assert measured(folder, ("b", "Oak posts la")).vital_recall == 0


def test_blanks_and_joined_sentences_are_looked_up(folder: Path) -> None:
    assert measured(folder, ("b", "Oak  posts\nlast in air.")).vital_recall == 0.5
    joined = "Oak posts last in air. Oak posts cost twice as much as alder posts."
    assert measured(folder, ("b", joined)).weighted_recall == pytest.approx(1.5 / 2.5)


def test_only_the_first_characters_count_in_the_short_figure(folder: Path) -> None:
    late = measured(folder, ("a", TEXTS["a"][60:2450]), ("b", TEXTS["b"]), ("c", TEXTS["c"]))
    assert late.weighted_recall == 1
    assert late.weighted_recall_2500 == pytest.approx(1.5 / 2.5)  # 2,390 and 95 characters fit, 29 more do not


def test_what_says_the_same_again_is_redundant(folder: Path) -> None:
    same = measured(folder, ("c", "Venice stands on alder piles."), ("a", "Under water it lasts for centuries."))
    assert same.redundancy == 0.5
    assert measured(folder, ("c", TEXTS["c"]), ("c", TEXTS["c"])).citations == 1
    report = "Oak posts last in the open air. Oak posts last in the open air!\n## More\n### And more\n# Title"
    found = measured(folder, report=report)
    assert (found.repeated_sentences, found.sections, found.precision) == (0.5, 2, None)
    assert found.entities_named == pytest.approx(1 / 3)


def test_what_cannot_be_told_is_left_out_of_the_means(folder: Path) -> None:
    rows = [measured(folder), measured(folder, ("c", TEXTS["c"]))]
    groups = by_group(rows)
    assert set(groups) == {"all", "wood"}
    assert (groups["all"]["precision"].mean, groups["all"]["precision"].n) == (1, 1)
    assert (groups["all"]["vital_recall"].mean, groups["all"]["vital_recall"].n) == (0.25, 2)
    assert "entities_named" not in groups["all"]
    assert json.loads(to_json(rows, {"seed": 0}))["summary"]["all"]["vital_recall"]["mean"] == 0.25


def test_the_interval_holds_the_mean_and_narrows_with_more_questions() -> None:
    few, many = bootstrap([0, 1] * 5), bootstrap([0, 1] * 200)
    assert few.low < 0.5 < few.high
    assert many.high - many.low < 0.12 < few.high - few.low
    assert bootstrap([0.25]).low == bootstrap([0.25]).high == 0.25


def test_one_collection_is_read_alone_and_an_unknown_one_is_named(folder: Path) -> None:
    assert [q.id for q in read_data(folder, "piles").questions] == ["wood-2"]
    assert len(read_data(folder, "wood").documents) == 3
    with pytest.raises(ResearchError, match="no collection 'stone'; it has piles, wood"):
        read_data(folder, "stone")
    (folder / "corpus.jsonl.gz").unlink()
    with pytest.raises(ResearchError, match=r"corpus\.jsonl\.gz does not exist"):
        read_data(folder)


class FakeAsk:
    """Quotes document c to every question, and keeps what it was asked."""

    def __init__(self, data: OpenData):
        self.history: list[str] = []
        self._source = next(d for d in data.documents if document_id(d) == "c").source

    def __call__(self, question: str) -> ResearchState:
        self.history.append(question)
        text = TEXTS["c"]
        held = Passage(id=f"{self._source.id}-0", text=text, source=self._source, start=0, end=len(text))
        whole = Support(passage=held.id, quote=text, start=0, end=len(text))
        word = Support(passage=held.id, quote="Venice", start=0, end=6)
        spans = (
            Span(id="1", text="Venice", support=(word,)),
            Span(id="2", text=" [1]", kind="CITE", role="citation", support=(whole,)),
        )
        quoted = Block(id="b", kind="quotation", section="s", spans=spans)
        sources = (self._source.id,)
        draft = Draft(blocks=(quoted,))
        return ResearchState(question=question, evidence=(held,), references=sources, draft=draft)


def test_shown_is_each_whole_quotation_once(folder: Path) -> None:
    assert shown(FakeAsk(read_data(folder))("?")) == [Citation(doc="c", quote=TEXTS["c"])]


def test_a_row_counts_the_revisions_of_its_run_by_their_reason(folder: Path) -> None:
    data = read_data(folder)
    fake = FakeAsk(data)
    changes = tuple(
        Revision(version=n, span="2", reopened=("2",), old="a", new="b", reason=reason, evidence=None)
        for n, reason in enumerate(("unsure", "contradicted", "unsure"))
    )
    row = answered(data.questions[0], lambda text: fake(text).model_copy(update={"revisions": changes}))
    assert row.revisions == {"contradicted": 1, "unsure": 2, "dependent": 0, "person": 0}
    of_before = OpenRow(id="", report="", citations=(), seconds=0)
    assert summed_revisions(r.revisions for r in (row, of_before, row))["unsure"] == 4


def test_a_stopped_evaluation_goes_on_and_other_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    data = read_data(folder)
    ask, out = FakeAsk(data), tmp_path / "made" / "rows.jsonl"
    first = list(ask_all(data.questions[:1], ask, out, {"seed": 1}))
    with out.open("a") as file:
        file.write('{"id": "wood-2", "rep')  # killed while it was written
    rows = [row for _, row in ask_all(data.questions, ask, out, {"seed": 1})]
    assert ask.history == [QUESTION["question"], OTHER["question"]]
    assert rows[0] == first[0][1]
    assert [json.loads(line)["id"] for line in out.read_text().splitlines()] == ["wood-1", "wood-2"]
    assert [f.vital_recall for f in scored(data, rows)] == [0.5, 0.5]
    with pytest.raises(ResearchError, match="made with other settings"):
        list(ask_all(data.questions, ask, out, {"seed": 2}))


def test_the_whole_way_indexes_once_and_asks_every_question(folder: Path, tmp_path: Path) -> None:
    data, settings = read_data(folder), {"limit": 0, "seed": 0}
    found = [
        list(
            evaluate_open(
                data, tmp_path / "indexes", tmp_path / f"{n}.jsonl", settings,
                writer=FakeWriter(), embedder=HashEmbedder(), budget=Budget(rounds=1),
            )
        )
        for n in range(2)
    ]  # fmt: skip
    assert [type(item) for item in found[0]] == [Progress, tuple, tuple]
    assert len(list((tmp_path / "indexes").iterdir())) == 1


def _twin() -> Any:
    spec = importlib.util.spec_from_file_location("score_open", OPEN / "score_open.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SAME = {
    "vital_recall": "recall_vital", "weighted_recall": "weighted", "weighted_recall_2500": "recall_2500",
    "precision": "precision", "redundancy": "redundancy", "repeated_sentences": "repeated_sentences",
    "cited_characters": "cited_chars", "citations": "citations", "broken": "broken", "entities_named": "entities_named",
}  # fmt: skip


def mixed_citations(question: OpenQuestion, others: Sequence[Citation]) -> list[Citation]:
    """Right, doubled, shortened, joined, spaced, misplaced and long citations."""
    found: list[Citation] = []
    for number, nugget in enumerate(question.nuggets):
        place = nugget.gold[number % len(nugget.gold)]
        quote = place.quote
        shapes = (
            quote,
            quote[: len(quote) // 2],
            quote.replace(" ", "\n"),
            quote + " " + question.nuggets[0].text,
            "x" + quote,
        )
        found.append(Citation(doc=place.doc, quote=shapes[number % len(shapes)]))
        found.append(Citation(doc=place.doc, quote=quote))
    return [*found, *others]


@pytest.mark.skipif(not OPEN.is_dir(), reason="the open questions lie beside the project, and are not here")
def test_the_figures_equal_those_of_the_scorer_beside_the_data() -> None:
    twin, data = _twin(), read_data(OPEN)
    corpus = data.corpus()
    rows = {row["id"]: row for row in twin.rows(OPEN / "questions.jsonl.gz")}
    documents = twin.Docs(twin.rows(OPEN / "corpus.jsonl.gz"))
    texts = list(corpus.texts.items())
    for number, question in enumerate(data.questions):
        whole = [Citation(doc=doc, quote=text) for doc, text in texts[number * 7 : number * 7 + 3]]
        cited = mixed_citations(question, whole)
        report = "# Title\n\n" + "\n".join(c.quote for c in cited[: number % 9])
        ours = figures(question, OpenRow(id=question.id, report=report, citations=tuple(cited), seconds=0), corpus)
        answer = {"id": question.id, "report": report, "citations": [c.model_dump() for c in cited]}
        theirs = twin.score(rows[question.id], answer, documents, 0.6, 1500)
        assert {k: getattr(ours, k) for k in SAME} == {k: pytest.approx(theirs[v]) for k, v in SAME.items()}
