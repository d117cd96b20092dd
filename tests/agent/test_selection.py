"""Choosing the sentences of a report: hand-made passages, vectors one can see through, weights of one feature."""

from __future__ import annotations

import numpy as np
import pytest

from palimpsest.agent.selection import (
    CONCLUSION,
    FEATURES,
    RESULT,
    Chosen,
    Scored,
    SelectionWeights,
    Sentence,
    asking,
    described,
    leans,
    scores,
    select,
    sentences_of,
    standing,
)
from palimpsest.agent.wording import LinearText
from palimpsest.retrieval.types import Hit, Passage, Source

PARTS = LinearText(
    labels=("aim", CONCLUSION, RESULT), offsets=(0.0, -0.5, 0.0), weights=((0,) * 16, (0,) * 16, tuple(range(16)))
)


def split(text: str) -> list[tuple[int, int]]:
    """Sentences end at ". "."""
    found, start = [], 0
    for piece in text.split(". "):
        end = min(start + len(piece) + 1, len(text))
        found.append((start, end))
        start = end + 1
    return found


def passage(source: str, text: str, start: int = 0) -> Passage:
    note = Source(id=source, uri=f"note:{source}", title=f"Note {source}", sha256=source * 8)
    return Passage(id=f"{source}-{start}", text=text, source=note, start=start, end=start + len(text))


def sentences(*passages: Passage) -> list[Sentence]:
    return sentences_of([Hit(passage=p, score=1.0) for p in passages], split)


def scored(found: list[Sentence], values: list[float], vectors: np.ndarray | None = None) -> list[Scored]:
    rows = np.eye(len(found), dtype=np.float32) if vectors is None else vectors
    return [Scored(s, v, row) for s, v, row in zip(found, values, rows, strict=True)]


ALDER = passage(
    "a", "Alder wood soon rots in the air. Under water it lasts for centuries. Short one. Many piles were driven there."
)
OAK = passage("b", "Posts of oak cost twice as much as alder. However, they last longer in air.", start=40)


def test_sentences_are_those_of_the_passages_in_the_sources_offsets() -> None:
    found = sentences(ALDER, OAK, ALDER)
    assert [s.text for s in found[:2]] == ["Alder wood soon rots in the air.", "Under water it lasts for centuries."]
    assert "Short one." not in [s.text for s in found]
    assert [s.rank for s in found] == [1, 1, 1, 2, 2]
    assert found[3].start == 40
    assert OAK.text[found[4].start - 40 : found[4].end - 40] == found[4].text


def test_sentences_cut_at_indexing_are_taken_as_they_are() -> None:
    cut = ALDER.model_copy(update={"sentences": ((0, 67),)})
    assert [(s.start, s.end) for s in sentences(cut)] == [(0, 67)]


def test_a_label_on_a_line_of_its_own_is_no_part_of_the_sentence() -> None:
    (found,) = sentences(passage("a", "Main conclusions\nAlder lasts for centuries."))
    assert (found.text, found.start) == ("Alder lasts for centuries.", 17)
    wrapped = "Under water alder lasts\nfor centuries and more."
    assert [s.text for s in sentences(passage("a", wrapped))] == [wrapped]


def table(question: str, found: list[Sentence], relevance: list[float] | None = None) -> np.ndarray:
    vectors = np.eye(len(found), dtype=np.float32)
    return described(question, found, vectors[:1], vectors, PARTS, relevance)


def column(name: str, found: np.ndarray) -> list[float]:
    return [float(v) for v in found[:, FEATURES.index(name)]]


def test_features_are_what_they_are_called() -> None:
    found = sentences(ALDER, OAK)
    features = table("How long does alder wood last under water?", found)
    assert column("cosine", features) == [1, 0, 0, 0, 0]
    assert column("after", features)[1] == 0
    assert column("before", features)[1] == 1  # the sentence before it is the question itself
    assert column("first", features) == [1, 0, 0, 1, 0]
    assert column("last", features) == [0, 0, 1, 0, 1]
    overlap = column("overlap", features)
    assert overlap[1] > overlap[2] == 0
    assert len(set(column("finding", features))) > 1
    assert np.isnan(column("relevance", features)).all()
    assert column("relevance", table("?", found, [0.1, 0.2, 0.3, 0.4, 0.5])) == [0.1, 0.2, 0.3, 0.4, 0.5]


def test_words_that_every_passage_holds_tell_nothing() -> None:
    found = sentences(
        passage("a", "The alder of the shore is old and grey."), passage("b", "The oak of the hill is young and green.")
    )
    overlaps = column("overlap", table("What is the age of the oak", found))
    assert 2 * overlaps[0] < overlaps[1]


def test_nothing_found_is_a_table_without_rows() -> None:
    assert described("?", [], np.ones((1, 3), dtype=np.float32), np.zeros((0, 3), dtype=np.float32), PARTS).shape == (
        0,
        len(FEATURES),
    )
    assert select([], 4000, 0.2) == []


def test_a_question_is_asked_whole_and_by_its_clauses() -> None:
    question = "Crossbow or longbow: how did they compare in power, training, and use?"
    assert asking(question) == [question, "how did they compare in power,"]
    assert asking("Who won?") == ["Who won?"]


def weights(**chosen: float) -> SelectionWeights:
    names = tuple(chosen)
    zeros, ones = (0.0,) * len(names), (1.0,) * len(names)
    return SelectionWeights(
        features=names,
        mean=zeros,
        scale=ones,
        weights=tuple(chosen.values()),
        relative=zeros,
        offset=-1,
        stop=0,
        passages=1,
    )


def test_scores_are_linear_in_the_features_and_their_distance_from_the_others() -> None:
    found = sentences(ALDER, OAK)
    features = table("alder?", found)
    assert list(scores(features, weights(cosine=2.0))) == [1, -1, -1, -1, -1]
    relative = weights(cosine=0.0).model_copy(update={"relative": (1.0,)})
    assert list(scores(features, relative)) == pytest.approx([1, -1.5, -1.5, -1.5, -1.5], abs=1e-4)


def test_the_best_come_first_and_neighbours_become_one_quotation() -> None:
    found = sentences(ALDER, OAK)
    chosen = select(scored(found, [1.0, 3.0, -9.0, 2.0, -9.0]), 120, stop=0.0)
    assert [[s.text[:5] for s in c.sentences] for c in chosen] == [["Alder", "Under"], ["Posts"]]
    assert (chosen[0].start, chosen[0].end, chosen[0].score) == (0, 68, 3.0)


def test_taking_stops_at_the_budget_and_where_the_rest_is_unlikely() -> None:
    found = sentences(ALDER, OAK)
    values = [3.0, 2.9, 2.8, 2.7, -3.0]
    assert sum(len(c.sentences) for c in select(scored(found, values), 70, stop=0.0)) == 2
    assert sum(len(c.sentences) for c in select(scored(found, values), 4000, stop=0.2)) == 4
    assert sum(len(c.sentences) for c in select(scored(found, values), 4000, stop=0.0)) == 5


def twins(*texts: str) -> list[Chosen]:
    found = sentences(*(passage("abc"[n], text) for n, text in enumerate(texts)))
    return select(
        scored(found, [3.0, 2.0, 1.0][: len(found)], np.ones((len(found), 1), dtype=np.float32)), 4000, stop=0.0
    )


def test_what_two_sources_say_alike_is_said_once_with_both() -> None:
    (one,) = twins("Alder lasts 300 years under water.", "Under water alder lasts for 300 years.")
    assert [s.passage.source.id for s in one.sentences] == ["a"]
    assert [s.passage.source.id for s in one.also] == ["b"]


@pytest.mark.parametrize("other", ["Alder lasts 200 years under water.", "Alder lasts not 300 years under water."])
def test_another_figure_or_a_not_is_another_statement(other: str) -> None:
    assert len(twins("Alder lasts 300 years under water.", other)) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("However, they last longer.", True),
        ("It lasts for centuries.", True),
        ("This is why.", True),
        ("This study found oak to last.", False),
        ("Oak lasts.", False),
        ("", False),
    ],
)
def test_a_sentence_that_points_back_leans(text: str, expected: bool) -> None:
    assert leans(text) is expected


def test_a_quotation_that_leans_takes_the_sentence_before_it() -> None:
    found = sentences(OAK)
    whole = standing(Chosen((found[1],), 1.0), split)
    assert [s.text for s in whole.sentences] == [s.text for s in found]
    assert standing(Chosen((found[0],), 1.0), split).sentences == (found[0],)
    alone = sentences(passage("c", "It was never built again after that."))
    assert len(standing(Chosen((alone[0],), 1.0), split).sentences) == 1
