"""Fit what reports rest on: which sentences a report is made of, and what kind of question is asked.

    python -m palimpsest.workflows.evaluation.fit_selection --open FOLDER --train FOLDER --out selection.json
    python -m palimpsest.workflows.evaluation.fit_selection --open FOLDER --weights selection.json

The second fits the choice of sentences anew and leaves the rest of the file as it is. The wording
classifiers are fitted on `--train`; the choice of sentences on the questions of `--open`, with figures by cross-validation over
questions, so that no question is scored by weights that have seen it.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palimpsest.agent import describing, selection, weighing, whole
from palimpsest.agent.describing import CONCLUSION, FEATURES, METHOD, RESULT
from palimpsest.agent.selection import Scored
from palimpsest.agent.sentences import Chosen, Matrix, Sentence, Vectors, sentences_of
from palimpsest.agent.state import Budget
from palimpsest.agent.weighing import CONTEXT, EFFECT, NO_EFFECT, ReportWeights, SelectionWeights, Weighing
from palimpsest.agent.wording import LinearText
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.chunks import sentences as split
from palimpsest.retrieval.embed import Embedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.library import HybridSearcher
from palimpsest.retrieval.types import Hit, Searcher

from ..corpus import default_folder, open_embedder
from .fit_headings import whole_phrases
from .fit_kinds import kind_rows, known_again, linear_kinds, names_in
from .fit_limits import limits
from .linear_fit import linear_text, logistic
from .open_questions import OpenData, document_id, read_data, trial_numbers
from .open_score import Citation, Corpus, OpenFigures, OpenQuestion, OpenRow, Place, figures, summary

READ = Budget()  # what a run reads and quotes when nothing else is said
FOLDS = 10
ORIGINS = {"selection.passages": "set by hand: what a round of searches finds; the weights were fitted to so many"}
PENALTY = 100.0
STOPS = (0.0, 0.02, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.16, 0.2)
THRIFTS = (0.0, 0.15, 0.3, 0.45)
LEAST_PRECISION = 0.35
LOSS = 0.005  # of vital recall that a later stop may cost: a twentieth of the width of its interval over 95 questions
INNER_FOLDS = 5  # by which the first scores are made that the second weighing is fitted on
SECOND_PENALTY = 300.0


# Sentences that state a finding


def part_rows(articles: Iterable[dict[str, Any]], kept_apart: set[str]) -> Iterator[tuple[str, str]]:
    """Sentences of trial abstracts and the part of the abstract that their authors put them in."""
    for article in articles:
        if str(article["pmcid"]).removeprefix("PMC") in kept_apart:
            continue
        for part in article["abstract"]:
            label = part_of(part["heading"].lower())
            if label:
                yield from ((part["text"][a:b], label) for a, b in split(part["text"]) if b - a >= 25)


PARTS = {
    CONCLUSION: ("conclu", "interpret"),
    RESULT: ("result", "finding"),
    METHOD: ("method", "design", "registr"),
    "aim": ("background", "introduc", "objective", "aim", "purpose"),
}


def part_of(heading: str) -> str:
    """The part of an abstract that stands under a heading; "" where the heading is of no known kind."""
    return next((part for part, stems in PARTS.items() if any(stem in heading for stem in stems)), "")


_EFFECTS = {
    "no significant difference": NO_EFFECT,
    "significantly increased": EFFECT,
    "significantly decreased": EFFECT,
}


def effect_rows(rows: Iterable[dict[str, Any]], kept_apart: set[str]) -> Iterator[tuple[str, str]]:
    """Sentences of trial reports that state whether there was an effect, as people judged them."""
    for row in rows:
        if str(row["pmcid"]).removeprefix("PMC") not in kept_apart:
            yield from ((quote, _EFFECTS[row["label"]]) for quote in row["evidence"] if row["label"] in _EFFECTS)


# Candidates of the open questions


@dataclass(frozen=True)
class Pool:
    """The sentences that one question's report may be made of. `right` [n]: 1 where a sentence is mostly gold."""

    question: OpenQuestion
    sentences: tuple[Sentence, ...]
    vectors: Vectors  # [n, d]
    table: Matrix  # [n, len(FEATURES)]
    right: Matrix  # [n]


def pools(data: OpenData, index: Index, embedder: Embedder, parts: LinearText) -> Iterator[Pool]:
    """What a run reads of each question when it is asked by its own words."""
    searcher, corpus, ids = HybridSearcher(index), data.corpus(), {d.source.id: document_id(d) for d in data.documents}
    for question in data.questions:
        found = sentences_of(passages_read(searcher, question.question), split)
        vectors = describing.embedded(question.question, found, embedder.embed, embedder.words)
        table = describing.described(question.question, found, vectors, parts)
        right = [_is_right(question, corpus, ids[s.passage.source.id], s) for s in found]
        yield Pool(question, tuple(found), vectors.alone, table, np.array(right, dtype=np.float64))


def passages_read(searcher: Searcher, question: str) -> list[Hit]:
    """The best passages for a question, of short ones as many more as a run reads."""
    found = searcher.search(question, READ.reading)
    wanted = READ.asked_for([len(h.passage.text) for h in found])
    found = searcher.search(question, wanted) if wanted > len(found) else found
    return found[: READ.fills([len(h.passage.text) for h in found])]


def _is_right(question: OpenQuestion, corpus: Corpus, doc: str, sentence: Sentence) -> bool:
    """Whether more than half of the sentence, or of a gold place, is shared."""
    places = corpus.places(Citation(doc=doc, quote=sentence.text))
    golds = [g for n in question.nuggets for g in n.gold if g.doc == doc]
    return any(_shared(p, g.start, g.end) > 0.5 * min(p.length, g.end - g.start) for p in places for g in golds)


def _shared(place: Place, start: int, end: int) -> int:
    return min(place.end, end) - max(place.start, start)


# Fitting and measuring


def fitted_weighing(
    tables: Sequence[Matrix], rights: Sequence[Matrix], columns: Sequence[str], names: Sequence[str], penalty: float
) -> Weighing:
    """Logistic regression on the named columns as they are and relative to the question's; every question weighs the same."""
    kept = [table[:, [columns.index(name) for name in names]] for table in tables]
    table, beside = np.vstack(kept), np.vstack([weighing.relative(t) for t in kept])
    mean, scale = table.mean(axis=0), table.std(axis=0) + 1e-6
    right = np.concatenate(rights)
    importance = np.concatenate([np.full(len(r), 1.0 / max(r.sum(), 1.0)) for r in rights])
    rows = np.hstack([(table - mean) / scale, beside])
    weights, offset = logistic(rows, right, importance / importance.mean(), penalty)
    return Weighing(
        features=tuple(names), mean=_rounded(mean), scale=_rounded(scale), weights=_rounded(weights[: len(names)]),
        relative=_rounded(weights[len(names) :]), offset=round(offset, 5),
    )  # fmt: skip


def _first(pooled: Sequence[Pool], names: Sequence[str]) -> Weighing:
    return fitted_weighing([p.table for p in pooled], [p.right for p in pooled], FEATURES, names, PENALTY)


def fit(pooled: Sequence[Pool], names: Sequence[str], stop: float = 0.0, thrift: float = 0.0) -> SelectionWeights:
    """Both weighings; the second learns from first scores of weights that had not seen the question."""
    order = random.Random(1).sample(range(len(pooled)), len(pooled))
    contexts: dict[int, Matrix] = {}
    for fold in range(min(INNER_FOLDS, len(pooled))):
        held = order[fold::INNER_FOLDS]
        others = [pool for n, pool in enumerate(pooled) if n not in held]
        first = _first(others or pooled, names)
        for n in held:
            pool = pooled[n]
            contexts[n] = weighing.in_context(pool.sentences, pool.vectors, first.scores(pool.table, FEATURES))
    second = fitted_weighing(
        [contexts[n] for n in range(len(pooled))], [p.right for p in pooled], CONTEXT, CONTEXT, SECOND_PENALTY
    )
    return SelectionWeights(first=_first(pooled, names), second=second, stop=stop, thrift=thrift, passages=READ.reading)


def _rounded(values: Matrix) -> tuple[float, ...]:
    return tuple(float(f"{value:.5g}") for value in values)


def cross_validated(pooled: Sequence[Pool], names: Sequence[str], seed: int = 0) -> list[Matrix]:
    """The scores of each question's sentences by weights fitted without the questions of its fold."""
    order = random.Random(seed).sample(range(len(pooled)), len(pooled))
    found: dict[int, Matrix] = {}
    for fold in range(min(FOLDS, len(pooled))):
        tested = order[fold::FOLDS]
        weights = fit([pool for n, pool in enumerate(pooled) if n not in tested], names)
        found |= {n: weighing.scores(p.table, p.sentences, p.vectors, weights) for n in tested for p in [pooled[n]]}
    return [found[n] for n in range(len(pooled))]


def average_precision(right: Matrix, scored: Matrix) -> float | None:
    """The mean precision at each right sentence in order of score; None where none is right."""
    hits = right[np.argsort(-scored, kind="stable")]
    return float((hits * hits.cumsum() / np.arange(1, len(hits) + 1)).sum() / hits.sum()) if hits.any() else None


def measured(
    pooled: Sequence[Pool], scored: Sequence[Matrix], stop: float, data: OpenData, thrift: float = 0.0
) -> list[OpenFigures]:
    """The figures of reports that are nothing but the sentences chosen."""
    corpus, ids = data.corpus(), {d.source.id: document_id(d) for d in data.documents}
    found = []
    for pool, values in zip(pooled, scored, strict=True):
        chosen = quotations(pool, values, stop, thrift)
        cited = [Citation(doc=ids[c.sentences[0].passage.source.id], quote=quote(c)) for c in chosen]
        row = OpenRow(
            id=pool.question.id, report="\n".join(c.quote for c in cited), citations=tuple(cited), seconds=0.0
        )
        found.append(figures(pool.question, row, corpus))
    return found


def quotations(pool: Pool, values: Matrix, stop: float, thrift: float = 0.0) -> list[Chosen]:
    candidates = [Scored(s, float(v), r) for s, v, r in zip(pool.sentences, values, pool.vectors, strict=True)]
    chosen = selection.select(candidates, READ.characters, stop, thrift, lambda s: whole.quoted_with(s, split))
    return [whole.standing(c, split) for c in chosen]


def quote(chosen: Chosen) -> str:
    return " ".join(s.text for s in chosen.sentences)


def best_stop(by_stop: dict[float, list[OpenFigures]]) -> float:
    """The latest stop that costs next to no recall among those that keep the precision; the latest of all where none does."""
    means = {stop: summary(rows) for stop, rows in by_stop.items()}
    kept = [stop for stop, figure in means.items() if figure["precision"].mean >= LEAST_PRECISION] or [max(means)]
    recalls = {stop: means[stop]["vital_recall"].mean for stop in kept}
    return max(stop for stop, recall in recalls.items() if recall >= max(recalls.values()) - LOSS)


def fitted(
    pooled: Sequence[Pool], names: Sequence[str], data: OpenData
) -> tuple[SelectionWeights, list[OpenFigures], dict[str, float]]:
    """Weights from all questions, with the stop, the thrift and the figures that cross-validation gives."""
    scored = cross_validated(pooled, names)
    found = {}
    for thrift in THRIFTS:
        by_stop = {stop: measured(pooled, scored, stop, data, thrift) for stop in STOPS}
        found[thrift] = (best_stop(by_stop), by_stop)
    recalls = {t: summary(rows[stop])["vital_recall"].mean for t, (stop, rows) in found.items()}
    thrift = max(THRIFTS, key=lambda t: (recalls[t], -t))
    stop, by_stop = found[thrift]
    precisions = [average_precision(p.right, s) for p, s in zip(pooled, scored, strict=True)]
    means = {name: round(figure.mean, 4) for name, figure in summary(by_stop[stop]).items()}
    means["average_precision"] = round(float(np.mean([p for p in precisions if p is not None])), 4)
    return fit(pooled, names, stop, thrift), by_stop[stop], means


# The command


def choice(
    data: OpenData, indexes: Path, embedder: Embedder, parts: LinearText
) -> tuple[SelectionWeights, dict[str, float]]:
    """How sentences are chosen, and its figures, from documents that are indexed in a folder of `indexes`."""
    with Index.open(indexes / "fit-selection", embedder) as index:
        index.add_documents(data.documents)
        pooled = list(pools(data, index, embedder, parts))
    chosen, _, means = fitted(pooled, FEATURES, data)
    return chosen, means


def chosen_anew(held: ReportWeights, data: OpenData, indexes: Path, embedder: Embedder) -> ReportWeights:
    """The weights with another choice of sentences; what else they hold stays."""
    chosen, means = choice(data, indexes, embedder, held.parts)
    origins = {name: text for name, text in held.origins.items() if not name.startswith("selection.")} | ORIGINS
    return held.model_copy(update={"selection": chosen, "measured": {**held.measured, **means}, "origins": origins})


def weights(
    open_folder: Path, train: Path, indexes: Path, embedder: Embedder, say: Callable[[str], None]
) -> ReportWeights:
    """Everything fitted, with the figures of cross-validation and of held-out rows."""
    data, kinds = read_data(open_folder), kind_rows(train)
    asked = embedder.embed([question for question, _ in kinds])
    accuracies = known_again(kinds, asked)
    say(f"kinds of questions known again: {accuracies}")
    rows = list(part_rows(read_rows(train / "pmc_articles.jsonl.xz"), trial_numbers(data)))
    parts = linear_text([text for text, _ in rows], [label for _, label in rows], PART_BUCKETS)
    findings = list(effect_rows(read_rows(train / "evidence_inference.jsonl.gz"), trial_numbers(data)))
    effects = linear_text([text for text, _ in findings], [label for _, label in findings], EFFECT_BUCKETS)
    phrases, wholeness = whole_phrases(train, trial_numbers(data))
    chosen, means = choice(data, indexes, embedder, parts)
    return ReportWeights(
        parts=parts, kinds=linear_kinds(kinds, asked), selection=chosen, effects=effects,
        limits=limits([question for question, _ in kinds], asked, names_in(train), embedder.embed), phrases=phrases,
        measured={**accuracies, **wholeness, **means}, origins=ORIGINS,
    )  # fmt: skip


PART_BUCKETS, EFFECT_BUCKETS = 4096, 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--open", type=Path, required=True)
    parser.add_argument("--train", type=Path, help="folder of training data, to fit everything; with --out")
    parser.add_argument("--out", type=Path, help="file to write")
    parser.add_argument("--weights", type=Path, help="file in which only the choice of sentences is fitted anew")
    parser.add_argument("--indexes", type=Path, help="folder where the index of the documents is kept")
    asked = parser.parse_args(arguments)
    indexes = asked.indexes or default_folder()
    if asked.weights:
        held = ReportWeights.model_validate_json(asked.weights.read_text(encoding="utf-8"))
        found, out = chosen_anew(held, read_data(asked.open), indexes, open_embedder()), asked.weights
    elif asked.train and asked.out:
        found, out = weights(asked.open, asked.train, indexes, open_embedder(), _say), asked.out
    else:
        parser.error("name --train and --out to fit everything, or --weights to fit the choice of sentences anew")
    _say(f"by cross-validation: {found.measured}")
    out.write_text(found.model_dump_json() + "\n", encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
