"""Measure the whole loop on questions with known answers: index a suite's documents, ask, compare the reports with the answers."""

from __future__ import annotations

import lzma
import math
import random
import statistics
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from palimpsest.agent import blocks, hops, polar
from palimpsest.agent.answer_kinds import fitting, suiting
from palimpsest.agent.draft import Kind, Span
from palimpsest.agent.loop import run
from palimpsest.agent.numbers import UNCALIBRATED, Numbers, odds
from palimpsest.agent.questions import claimed
from palimpsest.agent.state import (
    Budget,
    Candidate,
    Event,
    Filled,
    Fits,
    Piece,
    Reader,
    ResearchState,
    Suits,
    Together,
    Tools,
    Verdict,
    Writer,
    anything,
    equally,
)
from palimpsest.dlm_core.metrics import calibration, exact, f1
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.embed import Embedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.library import HybridSearcher
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.search import search_all
from palimpsest.retrieval.types import Document, Frozen, Passage, WordsOf

from ..calibration import answer_kinds, report_weights
from ..errors import FAILED, USAGE, ResearchError
from ..reading import SelectingReader

Asked = TypeVar("Asked")

NUM_PAGES = 1_000  # pages of the haystack
BATCH_DOCUMENTS = 200  # documents indexed between two words of progress


class Question(Frozen):
    """A question, the answers that count as right, and the ids of the sources that it was written about."""

    id: str
    text: str
    answers: tuple[str, ...]
    gold: tuple[str, ...]


class Progress(Frozen):
    """How far indexing has come."""

    done: int
    total: int


class Row(Frozen):
    """What one report was worth. An answer that was not established is "" and scores 0; it has no confidence, nor has a yes or no.

    `cites_gold`: the answer's citation is a gold source; `references_gold` and `retrieved_gold`: the share of the gold sources
    among the report's references and among the passages held.
    """

    id: str
    question: str
    gold_answers: tuple[str, ...]
    answer: str
    confidence: float | None
    exact: float
    f1: float
    cites_gold: bool
    references_gold: float
    retrieved_gold: float
    rounds: int
    canvases: int
    seconds: float


class Evaluation(Frozen):
    """What is written to a file: how it was measured, the figures, and every row."""

    settings: dict[str, Any]
    summary: dict[str, float]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Suite:
    """Documents and questions about them. `documents` takes the data folder and a haystack file or None; `shelf` is the
    name of the suite whose documents they are, where that is another.
    """

    name: str
    about: str
    documents: Callable[[Path, Path | None], list[Document]]
    questions: Callable[[Path], list[Question]]
    shelf: str = ""


def evaluate(
    suite: Suite,
    data: Path,
    index_folder: Path,
    *,
    writer: Writer,
    embedder: Embedder,
    limit: int = 100,
    seed: int = 0,
    budget: Budget | None = None,
    pages: Path | None = None,
    numbers: Numbers = UNCALIBRATED,
) -> Iterator[Progress | Row]:
    """Index the suite's documents in `index_folder` (what it holds already stays), then ask `limit` questions, 0 for all.

    The same seed draws the same questions. ResearchError names a file that is missing or damaged.
    """
    documents, questions = suite.documents(data, pages), sample(suite.questions(data), limit, seed)
    reader = SelectingReader(embedder, report_weights())
    told = answer_kinds()
    fits, suits = fitting(told, reader.vectors), suiting(told, reader.vectors)
    with Index.open(index_folder, embedder) as index:
        yield from fill(index, documents)
        searcher = HybridSearcher(index)
        for question in questions:
            yield answer(
                question,
                writer,
                lambda queries, k: search_all([searcher], queries, k),
                budget or Budget(),
                numbers,
                reader,
                fits,
                suits,
                reader.words,
            )


def sample(questions: Sequence[Asked], limit: int, seed: int) -> list[Asked]:
    """`limit` questions drawn with the seed, in the order drawn; all of them, in their own order, where `limit` is 0."""
    if limit < 0:
        raise ResearchError(f"the limit {limit} is below 0; give a number of questions, 0 for all", USAGE)
    return random.Random(seed).sample(questions, min(limit, len(questions))) if limit else list(questions)


def fill(index: Index, documents: Sequence[Document]) -> Iterator[Progress]:
    """Add the documents that the index does not hold yet."""
    for start in range(0, len(documents), BATCH_DOCUMENTS):
        batch = documents[start : start + BATCH_DOCUMENTS]
        index.add_documents(batch)
        yield Progress(done=start + len(batch), total=len(documents))


# One question


def answer(
    question: Question,
    writer: Writer,
    search: Callable[..., Any],
    budget: Budget,
    numbers: Numbers = UNCALIBRATED,
    reader: Reader | None = None,
    fits: Fits = anything,
    suits: Suits = equally,
    words: WordsOf | None = None,
) -> Row:
    """Run the plain loop on a question and compare its report with the gold answers.

    What is answered by yes or no has no words of a source for an answer: it is planned and read with the `reader`.
    """
    counted, start = Counted(writer), time.monotonic()
    tools = Tools(
        counted, search, numbers, reader if claimed(question.text) else None, fits=fits, suits=suits, words=words
    )
    state = last(run(ResearchState(question=question.text, budget=budget), tools))
    return score(question, state, numbers, counted.canvases, time.monotonic() - start)


def last(steps: Generator[Event, None, ResearchState]) -> ResearchState:
    """The state that a loop returns when all its events have gone by."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            state: ResearchState = stop.value
            return state


def score(question: Question, state: ResearchState, numbers: Numbers, canvases: int, seconds: float) -> Row:
    """The figures of a finished report."""
    span = _answer_span(state)
    said = "" if span else _yes_or_no(state)
    text = span.text if span else said
    held = {p.source.id for p in state.evidence}
    return Row(
        id=question.id,
        question=question.text,
        gold_answers=question.answers,
        answer=text,
        confidence=_chance(state, numbers, span) if span else None,
        exact=exact(text, question.answers) if text else 0.0,
        f1=f1(text, question.answers) if text else 0.0,
        cites_gold=not set(question.gold).isdisjoint(_cited(state, span, said)),
        references_gold=_share(question.gold, state.references),
        retrieved_gold=_share(question.gold, held),
        rounds=state.round,
        canvases=canvases,
        seconds=seconds,
    )


def _answer_span(state: ResearchState) -> Span | None:
    """The answer of the last sub-question that has one: in a question of several hops it is the one asked for."""
    spans = [state.draft.span(f"{q.id}.answer") for q in state.facts]
    return next((s for s in reversed(spans) if s.status == "filled"), None)


def _yes_or_no(state: ResearchState) -> str:
    """What the verdict on a question to be answered by yes or no says; "" where nothing decides."""
    block = state.draft.block("verdict")
    return polar.read_as(block.text) if block else ""


def _cited(state: ResearchState, span: Span | None, said: str) -> set[str]:
    """The sources that an answer was read in: of a yes or no those of the statements beside it."""
    quoted = (
        [b.span("citation") for b in state.draft.section(blocks.SHORT) if b.kind == "quotation"] if said else [span]
    )
    return {state.passage(s.support[0].passage).source.id for s in quoted if s and s.support}


def _chance(state: ResearchState, numbers: Numbers, span: Span) -> float | None:
    """How far a written answer can be believed to be right; none where a person wrote it."""
    asked = span.id.removesuffix(".answer")
    return None if span.confidence is None else hops.chance(state, numbers, asked, odds(span.confidence))


def _share(wanted: Sequence[str], found: Iterable[str]) -> float:
    return len(set(wanted) & set(found)) / len(set(wanted)) if wanted else 0.0


class Counted:
    """A writer that counts the canvases it lays."""

    def __init__(self, writer: Writer):
        self.name = writer.name
        self.canvases = 0
        self._writer = writer

    def answers(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> list[Candidate]:
        self.canvases += len(passages)
        return self._writer.answers(question, kind, passages, k)

    def choose(self, question: str, kind: Kind, passages: Sequence[Passage]) -> Filled:
        self.canvases += 1
        return self._writer.choose(question, kind, passages)

    def bridges(self, question: str, passages: Sequence[Passage], k: int) -> list[str]:
        self.canvases += 1
        return self._writer.bridges(question, passages, k)

    def hops(self, question: str) -> float:
        self.canvases += 1
        return self._writer.hops(question)

    def together(self, question: str, kind: Kind, passages: Sequence[Passage], k: int) -> Together:
        self.canvases += 1
        return self._writer.together(question, kind, passages, k)

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        self.canvases += len(pairs)
        return self._writer.verdicts(pairs)

    def fill(self, forms: Sequence[tuple[Sequence[Piece], Sequence[Passage]]]) -> list[list[Filled]]:
        self.canvases += len(forms)
        return self._writer.fill(forms)


# All questions


def summary(rows: Sequence[Row]) -> dict[str, float]:
    """Means over the rows, in percent where a row says yes or no; what cannot be told from these rows is left out."""
    if not rows:
        return {"n": 0.0}
    answered = [r for r in rows if r.answer]
    told = [r for r in answered if r.confidence is not None]  # a yes or no has no one reading to be believed
    figures = {
        "n": len(rows),
        "exact": 100 * _mean(r.exact for r in rows),
        "f1": 100 * _mean(r.f1 for r in rows),
        "abstained": 100 * (1 - len(answered) / len(rows)),
        "exact_answered": 100 * _mean(r.exact for r in answered),
        "f1_answered": 100 * _mean(r.f1 for r in answered),
        "cites_gold_answered": 100 * _mean(r.cites_gold for r in answered),
        "references_gold": 100 * _mean(r.references_gold for r in rows),
        "retrieved_gold": 100 * _mean(r.retrieved_gold for r in rows),
        "rounds": _mean(r.rounds for r in rows),
        "canvases": _mean(r.canvases for r in rows),
        "seconds": _mean(r.seconds for r in rows),
        "seconds_median": statistics.median(r.seconds for r in rows),
        **(calibration([r.confidence or 0.0 for r in told], [r.exact for r in told]) if told else {}),
    }
    return {name: float(value) for name, value in figures.items() if not math.isnan(value)}


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else math.nan


def to_json(rows: Sequence[Row], settings: dict[str, Any]) -> str:
    """Settings, summary and rows as indented JSON."""
    found = Evaluation(settings=settings, summary=summary(rows), rows=tuple(rows))
    return found.model_dump_json(indent=2) + "\n"


# The suites


def _read(path: Path, limit: int | None = None) -> list[dict[str, Any]]:
    try:
        return read_rows(path, limit)
    except FileNotFoundError as exc:
        raise ResearchError(f"{path} does not exist; name the folder that holds it with --data", USAGE) from exc
    except (OSError, EOFError, ValueError, lzma.LZMAError) as exc:
        raise ResearchError(f"{path} cannot be read ({exc}); fetch it again", FAILED) from exc


def _context(row: dict[str, Any]) -> Document:
    return document(row["context"], uri=f"qed_dev:{row['id']}", title=row["title"])


def _wikipedia_documents(data: Path, pages: Path | None) -> list[Document]:
    """Every QED passage once, whatever its title, and the first pages of the haystack."""
    found = {d.source.id: d for d in map(_context, _read(data / "qed_dev.jsonl.gz"))}
    haystack = map(_page, _read(pages, NUM_PAGES)) if pages else ()
    return list({**{d.source.id: d for d in haystack}, **found}.values())


def _page(row: dict[str, Any]) -> Document:
    pieces, heading = [], ""
    for name, text in row["paragraphs"]:
        pieces += [f"## {name}"] if name and name != heading else []
        pieces.append(text)
        heading = name
    return document("\n\n".join(pieces), uri=f"wikipedia_pages:{row['title']}", title=row["title"])


def _wikipedia_questions(data: Path) -> list[Question]:
    return [
        Question(id=str(r["id"]), text=r["question"], answers=tuple(r["answers"]), gold=(_context(r).source.id,))
        for r in _read(data / "qed_dev.jsonl.gz")
    ]


def _introduction(row: dict[str, Any]) -> Document:
    return document("".join(row["sentences"]), uri=f"hotpotqa_corpus:{row['title']}", title=row["title"])


def _hotpotqa_documents(data: Path, pages: Path | None) -> list[Document]:
    if pages:
        raise ResearchError("hotpotqa and incomplete bring their own documents; leave --pages out", USAGE)
    return [_introduction(r) for r in _read(data / "hotpotqa_corpus.jsonl.gz")]


def _hotpotqa_questions(data: Path) -> list[Question]:
    """The questions all of whose gold introductions are in the corpus."""
    return [q for q, is_complete in _asked_of_two(data) if is_complete]


def _incomplete_questions(data: Path) -> list[Question]:
    """The questions of which a gold introduction is not in the corpus."""
    return [q for q, is_complete in _asked_of_two(data) if not is_complete]


def _asked_of_two(data: Path) -> list[tuple[Question, bool]]:
    """Every question with the gold introductions that there are, and whether these are all."""
    ids = {r["title"]: _introduction(r).source.id for r in _read(data / "hotpotqa_corpus.jsonl.gz")}
    found = []
    for r in _read(data / "hotpotqa_questions.jsonl.gz"):
        gold = tuple(ids[t] for t in r["gold_titles"] if t in ids)
        question = Question(id=r["id"], text=r["question"], answers=(r["answer"],), gold=gold)
        found.append((question, bool(r["gold_complete"])))
    return found


SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite(
            "wikipedia",
            "real search queries over Wikipedia passages (qed_dev), with --pages in a haystack of 1,000 pages",
            _wikipedia_documents,
            _wikipedia_questions,
        ),
        Suite(
            "hotpotqa",
            "questions of two hops over 6,870 Wikipedia introductions (hotpotqa_questions, hotpotqa_corpus)",
            _hotpotqa_documents,
            _hotpotqa_questions,
        ),
        Suite(
            "incomplete",
            "questions of hotpotqa of which an introduction lacks (hotpotqa_questions, hotpotqa_corpus): not established is right",
            _hotpotqa_documents,
            _incomplete_questions,
            shelf="hotpotqa",
        ),
    )
}
