"""Sections: groups one can see in the vectors, headings one can find in the sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from palimpsest.agent.outline import MOST_SECTIONS, PER_SECTION, grouped, headings, opened, phrases, sections
from palimpsest.agent.selection import Chosen, Sentence
from palimpsest.retrieval.types import Passage, Source

TOPICS = ("price", "decay", "weight")


def embed(texts: Sequence[str]) -> np.ndarray:
    """A direction for each topic, and one that all texts share."""
    rows = np.array(
        [[1.0, *(float(topic in text.lower()) * 2 for topic in TOPICS)] for text in texts], dtype=np.float32
    )
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def chosen(text: str, number: int) -> Chosen:
    source = Source(id=f"s{number}", uri=f"note:{number}", title="Note", sha256="0" * 64)
    passage = Passage(id=f"s{number}-0", text=text, source=source, start=0, end=len(text))
    return Chosen((Sentence(passage, 0, len(text), 1),), 3.0 - 2.0 * number)


NO_TITLES = [[""], [""]]
TEXTS = [
    "The market price of oak rose.", "Wood decay sets in after years.", "The dry weight of alder is low.",
    "A high market price was paid for oak.", "Slow wood decay was seen in bogs.", "Its dry weight fell further.",
]  # fmt: skip


def test_like_goes_with_like_and_the_best_section_comes_first() -> None:
    found = sections([chosen(t, n) for n, t in enumerate(TEXTS)], embed(TEXTS), "What is known of posts?", embed)
    assert [[TEXTS.index(c.sentences[0].text) for c in s.chosen] for s in found] == [[0, 3], [1, 4], [2, 5]]
    assert [s.heading for s in found] == ["Market price", "Wood decay", "Dry weight"]


def test_what_is_as_likely_in_fewer_words_comes_first() -> None:
    found = sections(
        [Chosen(chosen(t, n).sentences, 1.0) for n, t in enumerate(TEXTS)],
        embed(TEXTS),
        "What is known of posts?",
        embed,
    )
    lengths = [sum(len(c.text) for c in s.chosen) for s in found]
    assert lengths == sorted(lengths)


def test_a_heading_says_more_than_the_question_and_heads_one_section_only() -> None:
    groups = [["Slow wood decay was seen."], ["Fast wood decay was seen."]]
    centres = embed(["decay", "decay"])
    assert "Wood decay" not in headings(groups, NO_TITLES, centres, "What is known of wood decay?", embed)
    assert len(set(headings(groups, NO_TITLES, centres, "What is known?", embed))) == 2
    assert headings([["It is so."], ["So it was."]], NO_TITLES, centres, "?", embed) == ["", ""]


def test_a_heading_of_a_title_is_better_than_one_of_a_sentence() -> None:
    groups = [["Slow wood decay was seen."], ["Market price rose."]]
    found = headings(groups, [["Years of rapid decay"], [""]], embed(["decay", "price"]), "What is known?", embed)
    assert found[0] == "Rapid decay"


def test_phrases_end_at_function_words_and_marks() -> None:
    found = phrases(["Oak posts, dry alder (old piles) of the pier rot.", "Old piles rot."])
    assert found["old piles"] == 2 or found["Old piles"] == 2
    assert "posts dry" not in found
    assert "piles of" not in {p.casefold() for p in found}


@pytest.mark.parametrize("count", [1, 2, 3, 5, 6, 12, 60])
def test_every_quotation_is_in_one_section_and_no_section_is_thin(count: int) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = sections([chosen(f"Sentence {n}.", n) for n in range(count)], vectors, "?", embed)
    places = [c.sentences[0].passage.id for s in found for c in s.chosen]
    assert sorted(places) == sorted(f"s{n}-0" for n in range(count))
    assert len(found) <= MOST_SECTIONS
    assert min(len(s.chosen) for s in found) >= min(PER_SECTION, count)


def test_the_same_rows_make_the_same_groups_and_equal_rows_one_that_holds_all() -> None:
    rows = embed(TEXTS)
    assert grouped(rows, 3) == grouped(rows, 3) == [[0, 3], [1, 4], [2, 5]]
    assert sum(map(len, grouped(np.ones((6, 3), dtype=np.float32), 3))) == 6
    assert sections([], np.zeros((0, 4), dtype=np.float32), "?", embed) == []


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [("salt cargo", "Salt cargo"), ("dInfer speeds", "dInfer speeds"), ("d3LLM", "d3LLM"), ("", "")],
)
def test_a_heading_opens_with_a_capital_but_for_names_written_small(phrase: str, expected: str) -> None:
    assert opened(phrase) == expected
