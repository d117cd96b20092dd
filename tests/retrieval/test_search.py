"""Fusion is arithmetic you can do by eye; the fan-out tells the same story whoever answers first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.embed import HashEmbedder
from palimpsest.retrieval.index import Index
from palimpsest.retrieval.library import HybridSearcher
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.search import fuse, search_all
from palimpsest.retrieval.types import Hit, RetrievalError


def hit(text: str, name: str = "dense") -> Hit:
    return Hit(passage=passages(document(text, uri=text))[0], score=1.0, found_by=(name,))


def texts(hits: list[Hit] | tuple[Hit, ...]) -> list[str]:
    return [found.passage.text for found in hits]


class Fake:
    """Answers what was enqueued, in order, after a pause; a RetrievalError is raised."""

    def __init__(self, name: str, *answers: list[Hit] | Exception, pause: float = 0.0):
        self.name, self.answers, self.pause, self.history = name, list(answers), pause, []

    def search(self, query: str, k: int) -> list[Hit]:
        self.history.append((query, k))
        answer = self.answers.pop(0)
        time.sleep(self.pause)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_fuse_sums_reciprocal_ranks_and_joins_names() -> None:
    fused = fuse([[hit("a"), hit("b")], [hit("b", "lexical"), hit("c", "lexical")]], 2)
    assert texts(fused) == ["b", "a"]
    assert fused[0].score == pytest.approx(1 / 62 + 1 / 61)
    assert fused[0].found_by == ("dense", "lexical")


def test_fuse_breaks_ties_by_id_and_counts_a_passage_once_a_ranking() -> None:
    one, two = sorted((hit("a"), hit("b")), key=lambda found: found.passage.id)
    assert fuse([[one], [two]], 9) == fuse([[two], [one]], 9)
    assert fuse([[two], [one]], 9)[0].passage == one.passage
    assert fuse([[one, one]], 9)[0].score == pytest.approx(1 / 61)
    assert fuse([[one]], 0) == fuse([], 5) == []


def test_search_all_does_not_depend_on_who_answers_first() -> None:
    def ask(first: float, second: float) -> list[Hit]:
        slow = Fake("one", [hit("a"), hit("b")], [hit("a")], pause=first)
        fast = Fake("two", [hit("c")], [hit("b")], pause=second)
        return list(search_all([slow, fast], ["q"], 2).hits)

    assert ask(0.05, 0.0) == ask(0.0, 0.05)


def test_search_all_keeps_failures_beside_the_results() -> None:
    dead = Fake("arxiv", RetrievalError("arXiv is down; try later."), RetrievalError("arXiv is down; try later."))
    alive = Fake("library", [hit("a")], [hit("a"), hit("b")])
    found = search_all([dead, alive], ["q", "r", "q"], 3)
    assert texts(found.hits) == ["a", "b"]
    assert found.hits[0].found_by == ("dense", "library")
    assert [(failure.name, failure.message) for failure in found.failures] == [("arxiv", "arXiv is down; try later.")]
    assert sorted(alive.history) == [("q", 3), ("r", 3)]


def test_our_own_faults_pass_through() -> None:
    with pytest.raises(ZeroDivisionError):
        search_all([Fake("broken", ZeroDivisionError())], ["q"], 1)


def test_nothing_to_ask() -> None:
    assert search_all([], ["q"], 1).hits == search_all([Fake("x")], [], 1).hits == ()


def test_hybrid_search_finds_by_both_ways(tmp_path: Path) -> None:
    with Index.open(tmp_path, HashEmbedder()) as index:
        index.add_documents([document("Cats sleep all day.", uri="a"), document("Dogs bark at night.", uri="b")])
        searcher = HybridSearcher(index)
        best = searcher.search("cats sleep", 1)
        assert texts(best) == ["Cats sleep all day."]
        assert best[0].found_by == ("dense", "lexical")
        assert search_all([searcher], ["cats", "dogs"], 5).hits[0].found_by == ("dense", "lexical", "library")
