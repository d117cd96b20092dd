"""Parts of speech: one tag a word, whatever the words, from the library's own model."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.agent import speech


def test_words_are_tagged_by_what_stands_around_them() -> None:
    assert speech.tags(("She", "answers", "the", "call", "."))[1:4] == ("VVZ", "AT0", "NN1")
    assert speech.tags(("Two", "answers", "were", "read", "."))[1:3] == ("NN2", "VBD")
    assert speech.tags(()) == ()


def test_a_contraction_is_its_verb() -> None:
    """Statements such as "they can't be controlled" have a verb; the library takes each of these for a noun."""
    tails = ("cannot show it", "can’t show it", "won't show it", "isn't it", "Don't show it")
    assert [speech.tags(("A", "survey", *tail.split()))[2] for tail in tails] == ["VM0", "VM0", "VM0", "VBZ", "VDB"]
    assert all(map(speech.is_clause, ("they're cruel", "It's cruel", "that’s cruel", "we've a mill", "they'd rot")))
    assert not any(map(speech.is_clause, ("Orta's mill", "the miller's", "n't", "'s")))


def test_the_names_of_a_text_are_its_nouns_with_what_describes_them() -> None:
    asked = "How do old paper mills affect house prices, and what is the history of bleaching?"
    found = [asked[start:end] for start, end in speech.names(asked)]
    assert found == ["old paper mills", "house prices", "history", "bleaching"]
    assert speech.names("How are they made?") == []


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("How did accidents at the lock change between 1990 and 2005?", ["accidents", "lock"]),
        ("How did complaints about the smell decline?", ["complaints", "smell"]),
        ("How did the catch of eels in the river rise after 1990?", ["catch", "eels", "river"]),
        ("How well does supervised exercise work for millers?", ["supervised exercise", "millers"]),
        ("Why did the price rise hurt millers?", ["price rise", "millers"]),
    ],
)
def test_the_verb_of_a_question_is_no_part_of_a_name(question: str, named: list[str]) -> None:
    """Reports said that nothing quoted speaks of a "lock change"."""
    assert [question[start:end] for start, end in speech.names(question)] == named


@given(st.lists(st.text(min_size=1, max_size=12), max_size=8))
def test_every_word_has_a_tag(words: list[str]) -> None:
    assert len(speech.tags(tuple(words))) == len(words)


def test_a_word_without_end_takes_no_time_without_end() -> None:
    start = time.process_time()
    assert len(speech.tags(("x" * 100_000, "ends"))) == 2
    assert time.process_time() - start < 10


def test_no_model_of_the_working_folder_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "morphmodel_en.pgz").write_bytes(b"somebody else's")
    monkeypatch.chdir(tmp_path)
    speech._tagger.cache_clear()
    speech.tags.cache_clear()
    assert speech.tags(("Salt", "pays", "."))[1] == "VVZ"


@pytest.mark.parametrize(
    ("question", "asked_for"),
    [
        ("What are the benefits and drawbacks of solar panels?", ["the benefits and drawbacks"]),
        ("What gains, limits and guarantees are reported?", ["gains, limits and guarantees"]),
        ("What concentrations of lead have been measured, and which towns have them?", ["concentrations", "towns"]),
        ("What is known about otters?", []),
        ("How do otters find fish?", []),
        ("What", []),
    ],
)
def test_what_a_question_asks_for_is_told_from_what_it_is_about(question: str, asked_for: list[str]) -> None:
    assert [question[a:b] for a, b in speech.asked_for(question)] == asked_for
