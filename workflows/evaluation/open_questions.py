"""Ask the open questions of a data folder, keep one row a question, and score the rows.

The folder holds `questions.jsonl.gz` and `corpus.jsonl.gz`. The rows go to a file as they are made, so that an evaluation that was
stopped goes on where it stood; a file beside it keeps the settings, and one made with others is refused.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from palimpsest.agent.answer_kinds import fitting, suiting
from palimpsest.agent.draft import Support
from palimpsest.agent.loop import run
from palimpsest.agent.numbers import UNCALIBRATED, Numbers
from palimpsest.agent.state import Budget, ResearchState, Tools, Writer
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.embed import Embedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.library import HybridSearcher
from palimpsest.retrieval.search import search_all
from palimpsest.retrieval.types import Document, Frozen, Source

from ..calibration import answer_kinds, report_weights
from ..errors import FAILED, USAGE, ResearchError
from ..reading import SelectingReader
from ..rendering import markdown
from .lift import Lift, Worth, measure, revisions
from .open_score import Citation, Corpus, OpenFigures, OpenQuestion, OpenRow, by_group, figures
from .suites import Progress, fill, last, sample

PREFIX = "open:"  # of the uri of a corpus document

Ask = Callable[[str], ResearchState]
"""A question in, the state of the finished run out."""

_Model = TypeVar("_Model", bound=Frozen)


class OpenData(Frozen):
    """Questions, and the documents in which the answers stand."""

    questions: tuple[OpenQuestion, ...]
    documents: tuple[Document, ...]

    def corpus(self) -> Corpus:
        return Corpus({document_id(d): d.text for d in self.documents})


def document_id(found: Document) -> str:
    return found.source.uri.removeprefix(PREFIX)


def trial_numbers(data: OpenData) -> set[str]:
    """The PubMed Central numbers of the documents that are asked about."""
    return {document_id(d).rpartition("PMC")[2] for d in data.documents if "PMC" in document_id(d)}


def read_data(folder: Path, collection: str = "") -> OpenData:
    """The questions and documents of the folder, or of one collection; ResearchError names what is missing or damaged."""
    rows = _read(folder / "questions.jsonl.gz")
    known = sorted({row.get("collection", "") for row in rows})
    if collection and collection not in known:
        raise ResearchError(f"{folder} has no collection {collection!r}; it has {', '.join(known)}", USAGE)
    texts = _read(folder / "corpus.jsonl.gz")
    return OpenData(
        questions=tuple(_question(row) for row in _of(rows, collection)),
        documents=tuple(_document(row) for row in _of(texts, collection)),
    )


def _of(rows: Sequence[dict[str, Any]], collection: str) -> list[dict[str, Any]]:
    return [row for row in rows if not collection or row.get("collection") == collection]


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        return read_rows(path)
    except FileNotFoundError as exc:
        raise ResearchError(f"{path} does not exist; name the folder that holds it with --data", USAGE) from exc
    except (OSError, EOFError, ValueError, lzma.LZMAError) as exc:
        raise ResearchError(f"{path} cannot be read ({exc}); fetch it again", FAILED) from exc


def _question(row: dict[str, Any]) -> OpenQuestion:
    nuggets = [
        {
            "text": n["text"],
            "vital": n["vital"],
            "gold": [{k: g[k] for k in ("doc", "quote", "start", "end")} for g in n["gold"]],
        }
        for n in row["nuggets"]
    ]
    kept = {k: row.get(k) or () for k in ("entities", "relevant")}
    identity = {k: row[k] for k in ("id", "kind", "question")}
    return OpenQuestion.model_validate(
        {**identity, **kept, "collection": row.get("collection") or "", "nuggets": nuggets}
    )


def _document(row: dict[str, Any]) -> Document:
    """A row as it stands, no letter of it cleaned: the gold places count its characters."""
    digest = hashlib.sha256(row["text"].encode()).hexdigest()
    source = Source(
        id=digest[:12],
        uri=PREFIX + row["id"],
        title=row.get("title") or row["id"],
        date=row.get("date") or None,
        sha256=digest,
        date_from="metadata" if row.get("date") else "",
    )
    return Document(source=source, text=row["text"])


def evaluate_open(
    data: OpenData,
    indexes: Path,
    out: Path,
    settings: dict[str, Any],
    *,
    writer: Writer,
    embedder: Embedder,
    budget: Budget,
    numbers: Numbers = UNCALIBRATED,
) -> Iterator[Progress | tuple[OpenQuestion, OpenRow]]:
    """Index the documents in a folder of `indexes` (what it holds already stays), then ask the questions, `ask_all`.

    `settings["limit"]` questions are drawn with `settings["seed"]`, 0 for all.
    """
    questions = sample(data.questions, settings["limit"], settings["seed"])
    with Index.open(indexes / f"eval-open-{_key(data.documents)}", embedder) as index:
        yield from fill(index, data.documents)
        tools = _tools(index, writer, embedder, numbers)
        yield from ask_all(
            questions, lambda text: last(run(ResearchState(question=text, budget=budget), tools)), out, settings
        )


def _tools(index: Index, writer: Writer, embedder: Embedder, numbers: Numbers) -> Tools:
    searcher = HybridSearcher(index)
    reader = SelectingReader(embedder, report_weights())
    told = answer_kinds()
    fits, suits = fitting(told, reader.vectors), suiting(told, reader.vectors)
    return Tools(
        writer,
        lambda queries, k: search_all([searcher], queries, k),
        numbers,
        reader,
        fits=fits,
        suits=suits,
        words=reader.words,
    )


def lift_open(
    data: OpenData,
    indexes: Path,
    limit: int,
    seed: int,
    *,
    writer: Writer,
    embedder: Embedder,
    budget: Budget,
    numbers: Numbers = UNCALIBRATED,
) -> Iterator[Progress | Lift]:
    """What each reason to reopen is worth to the vital recall of open questions."""
    corpus = data.corpus()

    def worth(question: OpenQuestion) -> Worth:
        def vital(state: ResearchState) -> float | None:
            row = OpenRow(id=question.id, report="", citations=tuple(shown(state)), seconds=0.0)
            return figures(question, row, corpus).vital_recall

        return vital

    questions = [(q.question, worth(q)) for q in sample(data.questions, limit, seed)]
    with Index.open(indexes / f"eval-open-{_key(data.documents)}", embedder) as index:
        yield from fill(index, data.documents)
        yield from measure(questions, _tools(index, writer, embedder, numbers), budget)


def _key(documents: Sequence[Document]) -> str:
    """One index folder for each set of texts: another set's documents would be found too."""
    return hashlib.sha256("\n".join(sorted(d.source.id for d in documents)).encode()).hexdigest()[:12]


def ask_all(
    questions: Sequence[OpenQuestion], ask: Ask, out: Path, settings: dict[str, Any]
) -> Iterator[tuple[OpenQuestion, OpenRow]]:
    """Every question with its row, in order; rows that `out` holds already are taken from it, the others are made and added.

    ResearchError when `out` was made with other settings.
    """
    held = {row.id: row for row in begun(out, settings)}
    for question in questions:
        if question.id not in held:
            held[question.id] = answered(question, ask)
            with out.open("a", encoding="utf-8") as file:
                file.write(held[question.id].model_dump_json() + "\n")
        yield question, held[question.id]


def begun(out: Path, settings: dict[str, Any]) -> list[OpenRow]:
    """The rows of an evaluation that was stopped, without one that was cut while it was written; [] where none was begun."""
    beside = out.with_name(out.name + ".settings.json")
    stated = json.dumps(settings, indent=1, sort_keys=True) + "\n"
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(stated, encoding="utf-8")
        return []
    if not beside.exists() or beside.read_text(encoding="utf-8") != stated:
        raise ResearchError(f"{out} was made with other settings; name another file with --out, or remove it", USAGE)
    lines = out.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    out.write_text("".join(whole), encoding="utf-8")
    return [_parsed(OpenRow, line, out) for line in whole]


def _parsed(model: type[_Model], line: str, path: Path) -> _Model:
    try:
        return model.model_validate_json(line)
    except ValidationError as exc:
        raise ResearchError(f"{path} holds a line that is no row; remove the file and start again", FAILED) from exc


def answered(question: OpenQuestion, ask: Ask) -> OpenRow:
    start = time.monotonic()
    state = ask(question.question)
    seconds = round(time.monotonic() - start, 2)
    return OpenRow(
        id=question.id, report=markdown.render(state, {}), citations=tuple(shown(state)),
        seconds=seconds, revisions=revisions(state),
    )  # fmt: skip


def shown(state: ResearchState) -> list[Citation]:
    """What the report shows of its sources, in the order shown: every support that does not lie inside another one."""
    supports = list(dict.fromkeys(s for span in state.draft.spans() for s in span.support))
    whole = [s for s in supports if not any(_lies_inside(s, other) for other in supports)]
    return [Citation(doc=state.passage(s.passage).source.uri.removeprefix(PREFIX), quote=s.quote) for s in whole]


def _lies_inside(one: Support, other: Support) -> bool:
    is_same_source = one.passage.rpartition("-")[0] == other.passage.rpartition("-")[0]
    return one != other and is_same_source and other.start <= one.start and one.end <= other.end


def scored(data: OpenData, rows: Sequence[OpenRow]) -> list[OpenFigures]:
    """The figures of the rows' questions, in the order of the questions."""
    corpus, by_id = data.corpus(), {row.id: row for row in rows}
    return [figures(q, by_id[q.id], corpus) for q in data.questions if q.id in by_id]


def to_json(rows: Sequence[OpenFigures], settings: dict[str, Any]) -> str:
    """Settings, summaries and every question's figures as indented JSON."""
    groups = {g: {n: f.model_dump() for n, f in found.items()} for g, found in by_group(rows).items()}
    results = {"settings": settings, "summary": groups, "rows": [row.model_dump(mode="json") for row in rows]}
    return json.dumps(results, indent=2, ensure_ascii=False) + "\n"
