"""The word index finds words as people write them, and survives hostile queries."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.retrieval.lexical import LexicalIndex, query_tokens, tokens
from palimpsest.retrieval.types import RetrievalError

TEXTS = {
    1: "The cats were running home.",
    2: "A dog runs. A dog barks.",
    3: "東京都は日本の首都です。",
    7: "LLaDA-8B at 1,240.99 tok/s",
}


def texts() -> list[tuple[int, str, str]]:
    return [(number, text, "") for number, text in TEXTS.items()]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> LexicalIndex:
    made = LexicalIndex(tmp_path_factory.mktemp("lexical"))
    made.update(add=texts())
    return made


def found(index: LexicalIndex, query: str) -> list[int]:
    return [number for number, _ in index.search(query, 10)]


def test_tokens() -> None:
    assert tokens("Ｃａｔｓ’ CAFÉ run_time 1,240.99") == ["cat", "café", "run", "time", "1,240.99"]
    assert tokens("日本語abc字") == ["日本", "本語", "abc", "字"]
    assert tokens(" \n…") == []


def test_stop_words_are_ignored_unless_nothing_else_is_asked() -> None:
    assert query_tokens("What is the cat? The cat!") == ["cat"]
    assert query_tokens("the who") == ["the", "who"]


def test_search(index: LexicalIndex) -> None:
    assert found(index, "a cat that runs") == [1, 2]
    assert found(index, "dogs") == [2]
    assert found(index, "東京") == [3]
    assert found(index, "llada 8b") == [7]
    assert found(index, "1,240.99") == [7]
    assert found(index, "zebra") == found(index, "") == index.search("cat", 0) == []


@settings(max_examples=100, deadline=None)
@given(query=st.text(max_size=40))
def test_no_query_is_an_instruction(index: LexicalIndex, query: str) -> None:
    for hostile in (query, f'"{query}', f"words:{query} AND (", f"-{query} +[a TO *] ~9 ^"):
        assert set(found(index, hostile)) <= set(TEXTS)


def test_update_adds_and_removes_for_good(tmp_path: Path) -> None:
    LexicalIndex(tmp_path).update(add=texts())
    LexicalIndex(tmp_path).update(remove=[1, 99], add=[(8, "another cat", "en")])
    again = LexicalIndex(tmp_path)
    assert len(again) == 4
    assert found(again, "cat") == [8]


def test_a_damaged_folder_is_named(tmp_path: Path) -> None:
    LexicalIndex(tmp_path).update(add=texts())
    (tmp_path / "meta.json").write_text("{bad")
    with pytest.raises(RetrievalError, match="damaged"):
        LexicalIndex(tmp_path)


def test_words_are_folded_as_their_language_does(tmp_path: Path) -> None:
    made = LexicalIndex(tmp_path)
    made.update(
        add=[
            (1, "Die Brücken wurden gebaut.", "de"),
            (2, "The bridges were built.", "en"),
            (3, "Mosty zbudowano.", "pl"),
        ]
    )
    languages = {"de", "en", "pl"}
    assert [n for n, _ in made.search("Wann wurde die Brücke gebaut?", 3, languages=languages)] == [1]
    assert [n for n, _ in made.search("When was the bridge built?", 3, languages=languages)] == [2]
    assert [n for n, _ in made.search("mosty", 3, languages=languages)] == [3]


def test_stop_words_follow_the_language_of_the_question() -> None:
    assert "die" not in query_tokens("Wann wurde die Brücke gebaut?", {"de"})
    assert "die" in query_tokens("When did the poet die?", {"de"})


def test_only_chosen_numbers_are_found(index: LexicalIndex) -> None:
    assert index.search("cat runs dog", 1, among=[2]) == [
        pair for pair in index.search("cat runs dog", 9) if pair[0] == 2
    ]
    assert index.search("cat", 5, among=[]) == []
