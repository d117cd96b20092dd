"""Passages are verbatim slices of whole sentences that no heading cuts through."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.retrieval.chunks import passages, sentences
from palimpsest.retrieval.loaders import document

PIECES = ["# Heading", "## Sub", "- item", "1. one", "| a | b |", "\n", "\n\n", " ", "A word. ", "東京は大きい。",
          "x" * 50, "Dr. ", "3.5 ", "é", "e\u0301", "😀", "?", "\u2028", "```", "\t"]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=30).map("".join)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def cut(text: str, **limits: int) -> list[str]:
    return [passage.text for passage in passages(document(text, uri="x"), **limits)]


@settings(max_examples=200, deadline=None)
@given(text=texts, max_words=st.integers(1, 20), max_characters=st.integers(1, 80))
def test_passages_are_ordered_slices_that_hold_every_word(text: str, max_words: int, max_characters: int) -> None:
    whole = document(text + "end", uri="x")
    found = passages(whole, max_words=max_words, max_characters=max_characters)
    assert all(whole.text[p.start : p.end] == p.text and p.text.strip() == p.text != "" for p in found)
    assert all(len(p.text) <= max_characters and len(p.text.split()) <= max_words for p in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert "".join("".join(p.text.split()) for p in found) == "".join(whole.text.split())
    assert found == passages(whole, max_words=max_words, max_characters=max_characters)


@settings(max_examples=200, deadline=None)
@given(text=texts)
def test_sentences_are_ordered_slices_that_hold_every_word(text: str) -> None:
    assert "".join("".join(piece.split()) for piece in split(text)) == "".join(text.split())
    assert all(piece == piece.strip() != "" for piece in split(text))


def test_ids_are_source_and_offset() -> None:
    whole = document("One.\n\n# Two\n\nThree.", uri="x")
    assert [p.id for p in passages(whole)] == [f"{whole.source.id}-0", f"{whole.source.id}-6"]


@pytest.mark.parametrize(
    "sentence",
    ["Dr. Smith paid 3.5 dollars in the U.S. today.", "See Eq. (3) and Fig. 2 for it.", "Smith et al. (2020) saw it.",
     'He said "Stop." and left.', "It costs 1,240.99 tokens, i.e. many."],
)  # fmt: skip
def test_points_inside_a_sentence(sentence: str) -> None:
    assert split(f"Before it. {sentence} After it.") == ["Before it.", sentence, "After it."]


def test_lines_that_stand_alone_part_sentences() -> None:
    text = "# Title\nA first line\ngoes on. Then\n- one\n- two\n\n| a | b |\n| 1 | 2 |\nAfter 中文句子。下一句。"
    assert split(text) == ["# Title", "A first line\ngoes on.", "Then", "- one", "- two", "| a | b |", "| 1 | 2 |",
                           "After 中文句子。", "下一句。"]  # fmt: skip


def test_headings_open_passages_and_stay_with_their_text() -> None:
    assert cut("Intro.\n\n# A\n\n## B\n\nText one. Text two.\n\n# C\n\nText.") == [
        "Intro.",
        "# A\n\n## B\n\nText one. Text two.",
        "# C\n\nText.",
    ]


def test_sentences_are_packed_up_to_the_limit() -> None:
    assert cut("One two. Three four. Five six.", max_words=4) == ["One two. Three four.", "Five six."]
    assert cut("One two. Three four. Five six.", max_characters=20) == ["One two. Three four.", "Five six."]


def test_an_overlong_sentence_is_cut_at_blanks_or_anywhere() -> None:
    assert cut("aaa bbb ccc ddd", max_characters=8) == ["aaa bbb", "ccc ddd"]
    assert cut("a" * 10, max_characters=4) == ["aaaa", "aaaa", "aa"]
