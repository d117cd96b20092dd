"""Nearness word by word: of a sentence in its passage, of the passage under its title, and of all that was read of the source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from palimpsest.agent import late
from palimpsest.agent.sentences import Sentence, sentences_of
from palimpsest.retrieval.chunks import sentences as split
from palimpsest.retrieval.embed import HashEmbedder, MiniLMEmbedder
from palimpsest.retrieval.types import Hit, Passage, Source, Words


def passage(name: str, text: str, title: str = "", source: str = "", start: int = 0) -> Passage:
    held = Source(id=source or name, uri=f"test:{source or name}", title=title, sha256="0" * 64)
    return Passage(id=name, text=text, source=held, start=start, end=start + len(text))


def sentences(*passages: Passage) -> list[Sentence]:
    return sentences_of([Hit(passage=p, score=1.0) for p in passages], split)


def near(question: str, *passages: Passage) -> dict[str, list[float]]:
    table = late.nearness(question, sentences(*passages), HashEmbedder(4096).words)
    return {name: [round(float(v), 3) for v in column] for name, column in zip(late.FEATURES, table.T, strict=True)}


SALT = passage("a", "The barge Marisa carries salt to Orta. The other barge lies at the pier of Levan.", "Freight")
BREAD = passage("b", "Bread of rye rises overnight in the cellar. It is baked at four in the morning.", "Baking")
MORE = passage("c", "Nobody knows who first brought the salt across.", "Freight", source="a", start=400)


def test_a_sentence_is_near_by_its_own_words_its_passage_by_all_and_its_source_by_all_that_was_read() -> None:
    found = near("Marisa salt nobody", SALT, BREAD, MORE)
    assert found["late"][0] > found["late"][1] == 0, "the second sentence of SALT holds none of the words"
    assert found["late_passage"][0] == found["late_passage"][1] == found["late"][0]
    assert found["late_source"][0] == found["late_source"][4] == 1, "what one passage lacks the other of the source has"
    assert found["late"][2] == found["late_source"][2] == 0


def test_the_title_counts_for_the_passage_and_not_for_its_sentences() -> None:
    found = near("freight", SALT, BREAD)
    assert found["late"] == [0] * 4
    assert found["late_passage"] == [1, 1, 0, 0]


def test_headings_count_for_the_passage_as_its_title_does() -> None:
    under = SALT.model_copy(update={"path": ("Freight", "Winter timetable")})
    assert near("winter", SALT, BREAD)["late_passage"] == [0] * 4
    assert near("winter", under, BREAD)["late_passage"] == [1, 1, 0, 0]
    embedder = Counted()
    late.nearness("salt", sentences(under), embedder.words)
    assert embedder.history[1] == f"Freight. Winter timetable. {SALT.text}", "a heading that is the title stands once"


def test_a_word_that_all_passages_hold_tells_little() -> None:
    """ "the" stands in every passage, "rye" in one."""
    found = near("the rye", SALT, BREAD, MORE)
    assert found["late"][2] == pytest.approx(1)
    assert found["late"][1] < 0.2


def test_offsets_are_those_of_the_source() -> None:
    moved = SALT.model_copy(update={"start": 90, "end": 90 + len(SALT.text)})
    assert near("Marisa salt", moved, BREAD) == near("Marisa salt", SALT, BREAD)


def test_nothing_found_and_a_question_without_words() -> None:
    assert late.nearness("?", [], HashEmbedder().words).shape == (0, 3)
    assert near("?", SALT) == {name: [0, 0] for name in late.FEATURES}


class Counted(HashEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.history: list[str] = []

    def words(self, texts: Sequence[str]) -> list[Words]:
        self.history += texts
        return super().words(texts)


def test_a_passage_is_read_once_whatever_it_holds() -> None:
    embedder = Counted()
    late.nearness("salt", sentences(SALT, BREAD), embedder.words)
    assert embedder.history == ["salt", f"Freight. {SALT.text}", f"Baking. {BREAD.text}"]


def test_a_sentence_is_near_by_what_it_speaks_of_in_its_passage() -> None:
    """ "It" is the lighthouse in one passage and the oven in the other; the sentence is the same."""
    told = "It was built in 1911 by the brothers Verne."
    tower = passage("a", f"The lighthouse of Orta stands on a rock. {told}", "Orta")
    oven = passage("b", f"The oven of Orta stands in a cellar. {told}", "Orta")
    other: Any = passage("c", "Ferries leave at nine and at noon from the eastern pier.", "Timetable")
    found = sentences(tower, oven, other)
    by_text = {(s.passage.id, s.text): value for s, value in zip(found, _mini(found), strict=True)}
    assert by_text["a", told] > by_text["b", told] + 0.05


def _mini(found: list[Sentence]) -> np.ndarray:
    return late.nearness("When was the lighthouse built?", found, MiniLMEmbedder().words)[:, 0]


def test_where_a_sentence_stands_is_told_by_what_heads_it_and_by_the_nearest_passage() -> None:
    """ "It leaves the quay at dawn." holds nothing of the question but for its title; bread holds nothing at all."""
    boat = passage("d", "It leaves the quay at dawn. The Marisa carries salt to Orta.", "Marisa")
    words = HashEmbedder(512).words
    spots = [(p, s.start, s.end) for p in (boat, BREAD) for s in sentences(p)]
    found = late.standing("Marisa salt", spots, [boat, BREAD], words)
    held = dict(zip([s.text for p in (boat, BREAD) for s in sentences(p)], found.tolist(), strict=True))
    assert held["It leaves the quay at dawn."][0] == pytest.approx(0.5, abs=0.01)
    assert held["The Marisa carries salt to Orta."] == [pytest.approx(1, abs=0.01), pytest.approx(0)]
    assert all(value[1] == pytest.approx(1, abs=0.01) for text, value in held.items() if text in BREAD.text)
    assert late.standing("Marisa salt", [], [boat], words).shape == (0, 2)
