"""Recall of gold passages among what is found: python -m palimpsest.retrieval.recall FOLDER, a folder with
questions.jsonl.gz and corpus.jsonl.gz (open questions) or hotpotqa_questions.jsonl.gz and hotpotqa_corpus.jsonl.gz.

A gold place counts as found when a passage among the first k holds the middle of it. No model answers anything.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .embed import Embedder, MiniLMEmbedder
from .index import Index
from .library import HybridSearcher
from .loaders import document
from .types import Document, Hit

DEPTHS = (4, 8, 16, 32)


@dataclass(frozen=True)
class Place:
    """A gold place: a document's uri, and offsets in its text; without them anywhere in it."""

    uri: str
    start: int = 0
    end: int = 0

    def is_in(self, hits: Sequence[Hit]) -> bool:
        middle = (self.start + self.end) // 2
        passages = (hit.passage for hit in hits if hit.passage.source.uri == self.uri)
        return any(not self.end or passage.start <= middle <= passage.end for passage in passages)


@dataclass(frozen=True)
class Asked:
    """A question and what answers it: groups of places, each group of equivalent ones."""

    text: str
    groups: tuple[tuple[Place, ...], ...]


def found(asked: Asked, hits: Sequence[Hit]) -> float:
    """The share of the groups of which a place is found."""
    return sum(any(place.is_in(hits) for place in group) for group in asked.groups) / len(asked.groups)


def open_questions(folder: Path, collections: Sequence[str]) -> tuple[list[Document], list[Asked]]:
    """Those of these collections, or all; a question's gold lies in its own collection."""
    kept = [row for row in _rows(folder / "corpus.jsonl.gz") if row["collection"] in collections or not collections]
    documents = [document(row["text"], uri=row["id"], title=row["title"], date=row.get("date")) for row in kept]
    rows = [row for row in _rows(folder / "questions.jsonl.gz") if row["collection"] in collections or not collections]
    asked = [Asked(row["question"], tuple(_gold(row["nuggets"]))) for row in rows]
    return documents, [one for one in asked if one.groups]


def _gold(nuggets: Sequence[dict[str, Any]]) -> Iterator[tuple[Place, ...]]:
    for nugget in nuggets:
        if nugget.get("vital") and nugget["gold"]:
            yield tuple(Place(gold["doc"], gold["start"], gold["end"]) for gold in nugget["gold"])


def two_hops(folder: Path, collections: Sequence[str]) -> tuple[list[Document], list[Asked]]:
    assert not collections, "only open questions have collections"
    documents = [
        document("".join(row["sentences"]), uri=row["title"], title=row["title"])
        for row in _rows(folder / "hotpotqa_corpus.jsonl.gz")
    ]
    rows = (row for row in _rows(folder / "hotpotqa_questions.jsonl.gz") if row["gold_complete"])
    return documents, [Asked(row["question"], tuple((Place(title),) for title in _titles(row))) for row in rows]


def _titles(row: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(fact[0] for fact in row["supporting_facts"]))


def measure(
    folder: Path, at: Path, embedder: Embedder, collections: Sequence[str] = (), limit: int = 0
) -> dict[str, float]:
    """Mean recall at each depth, and how many questions were asked; the index lies in `at`."""
    reader: Callable[[Path, Sequence[str]], tuple[list[Document], list[Asked]]]
    reader = open_questions if (folder / "questions.jsonl.gz").exists() else two_hops
    documents, asked = reader(folder, collections)
    asked = asked[: limit or None]
    with Index.open(at, embedder) as index:
        index.add_documents(documents)
        searcher = HybridSearcher(index)
        hits = [searcher.search(one.text, max(DEPTHS)) for one in asked]
    shares = {f"recall at {k}": [found(a, h[:k]) for a, h in zip(asked, hits, strict=True)] for k in DEPTHS}
    return {"questions": len(asked)} | {name: sum(each) / len(each) for name, each in shares.items()}


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", type=Path, help="folder to keep the index in")
    parser.add_argument("--collection", action="append", default=[], help="of the open questions; may be repeated")
    parser.add_argument("--limit", type=int, default=0, help="questions, 0 for all")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        at = chosen.index or Path(temporary)
        figures = measure(chosen.folder, at, MiniLMEmbedder(), chosen.collection, chosen.limit)
        for name, value in figures.items():
            print(f"{name:14} {value:.3f}")


if __name__ == "__main__":
    main()
