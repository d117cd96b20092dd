"""Passages are verbatim slices of whole sentences or whole rows; headings are their path, never their text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.retrieval.chunks import MAX_ROW_CHARACTERS, passages, plain_blocks, sentences
from palimpsest.retrieval.loaders import document
from palimpsest.retrieval.types import Block, Cell, Document, Passage

PIECES = ["# Heading\n", "## Sub\n", "- item", "1. one", "| a | b |", "\n", "\n\n", " ", "A word. ", "東京は大きい。",
          "x" * 50, "Dr. ", "3.5 ", "é", "e\u0301", "😀", "?", "\u2028", "```", "\t"]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=30).map("".join)


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


def cut(text: str, **limits: int) -> list[str]:
    return [passage.text for passage in passages(document(text, uri="x"), **limits)]


def said(passage: Passage) -> list[str]:
    """The passage's sentences, read from their offsets."""
    return [passage.text[start - passage.start : end - passage.start] for start, end in passage.sentences]


def made(*blocks: tuple[str, dict[str, object]]) -> Document:
    """A document of the given blocks, a blank line between them."""
    text, found = "", []
    for words, more in blocks:
        start = len(text) + 2 * bool(text)
        text += ("\n\n" if text else "") + words
        found.append(Block.model_validate({"kind": "paragraph", "start": start, "end": len(text), **more}))
    return document(text, uri="x").model_copy(update={"blocks": tuple(found)})


def record(table: int, row: int, **fields: str) -> tuple[str, dict[str, object]]:
    return "; ".join(f"{name}: {value}" for name, value in fields.items()), {"kind": "row", "table": table, "row": row}


def with_cells(whole: Document) -> Document:
    """Cells for blocks that read "name: value; name: value"."""
    blocks = []
    for block in whole.blocks:
        cells, position = [], block.start
        for field in whole.text[block.start : block.end].split("; ") if block.kind == "row" else []:
            name, _, value = field.partition(": ")
            begin = position + len(name) + 2
            cells.append(Cell(name=name, start=begin, end=begin + len(value)))
            position += len(field) + 2
        blocks.append(block.model_copy(update={"cells": tuple(cells)}))
    return whole.model_copy(update={"blocks": tuple(blocks)})


@settings(max_examples=200)
@given(text=texts, max_words=st.integers(2, 20), max_characters=st.integers(8, 80))
def test_passages_are_ordered_slices_that_hold_every_word(text: str, max_words: int, max_characters: int) -> None:
    whole = document(text + "end", uri="x")
    found = passages(whole, max_words=max_words, max_characters=max_characters)
    headings = [whole.text[b.start : b.end] for b in plain_blocks(whole.text) if b.kind == "heading"]
    assert all(whole.text[p.start : p.end] == p.text and p.text.strip() == p.text != "" for p in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    kept = sum(len("".join(p.text.split())) for p in found)
    gone = sum(len("".join(h.split())) for h in headings)
    assert kept <= len("".join(whole.text.split())) <= kept + gone
    assert found == passages(whole, max_words=max_words, max_characters=max_characters)
    # A list item's mark is beside its sentence, so a passage of one sentence may be longer by the mark.
    wide = [p for p in found if len(p.text) > max_characters or len(p.text.split()) > max_words]
    assert all(len(p.sentences) == 1 for p in wide if p.kind not in ("row", "heading"))


@settings(max_examples=200)
@given(text=texts)
def test_sentence_offsets_lie_in_their_passage_in_order_and_hold_its_words(text: str) -> None:
    for passage in passages(document(text + "end", uri="x")):
        spans = passage.sentences
        assert all(passage.start <= start < end <= passage.end for start, end in spans)
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert all(piece == piece.strip() != "" for piece in said(passage))
        assert passage.kind == "heading" or said(passage)


@settings(max_examples=100)
@given(text=texts)
def test_neighbours_point_at_each_other_within_a_section(text: str) -> None:
    found = {p.id: p for p in passages(document(text + "end", uri="x"), max_words=3)}
    for passage in found.values():
        if passage.after:
            assert found[passage.after].before == passage.id
            assert found[passage.after].path == passage.path


def test_ids_are_source_and_offset() -> None:
    whole = document("One.\n\n# Two\n\nThree.", uri="x")
    assert [p.id for p in passages(whole)] == [f"{whole.source.id}-0", f"{whole.source.id}-13"]


@pytest.mark.parametrize(
    "sentence",
    ["Dr. Smith paid 3.5 dollars in the U.S. today.", "See Eq. (3) and Fig. 2 for it.", "Smith et al. (2020) saw it.",
     'He said "Stop." and left.', "It costs 1,240.99 tokens, i.e. many."],
)  # fmt: skip
def test_points_inside_a_sentence(sentence: str) -> None:
    assert split(f"Before it. {sentence} After it.") == ["Before it.", sentence, "After it."]


def test_lines_that_stand_alone_part_sentences() -> None:
    text = "# Title\nA first line\ngoes on. Then\n- one\n- two\n\n| a | b |\n| 1 | 2 |\nAfter 中文句子。下一句。"
    assert split(text) == ["A first line\ngoes on.", "Then", "one", "two", "| a | b |", "| 1 | 2 |",
                           "After 中文句子。", "下一句。"]  # fmt: skip


def test_a_sentence_follows_its_language() -> None:
    text = "Am 3. Mai kam er. Er ging z. B. heim."
    german = document(text, uri="x")
    german = german.model_copy(update={"source": german.source.model_copy(update={"language": "de"})})
    assert said(passages(german)[0]) == ["Am 3. Mai kam er.", "Er ging z. B. heim."]


def test_headings_are_the_path_of_what_stands_below_them() -> None:
    found = passages(document("Intro.\n\n# A\n\n## B\n\nText one. Text two.\n\n# C\n\nText.", uri="x"))
    assert [(p.path, p.text) for p in found] == [
        ((), "Intro."),
        (("A", "B"), "Text one. Text two."),
        (("C",), "Text."),
    ]


def test_a_heading_with_nothing_under_it_is_found_and_is_no_sentence() -> None:
    found = passages(document("# Opening hours\n\n# Prices\n\nTwo crowns.", uri="x"))
    assert [(p.kind, p.text, p.sentences == ()) for p in found] == [
        ("heading", "# Opening hours", True),
        ("paragraph", "Two crowns.", False),
    ]


def test_a_hash_in_code_is_no_heading() -> None:
    found = passages(document("# Use\n\nRun it.\n\n```\n# not a heading\nmake all\n```\n\nDone.", uri="x"))
    assert [(p.kind, p.path) for p in found] == [("paragraph", ("Use",)), ("code", ("Use",)), ("paragraph", ("Use",))]
    assert "# not a heading" in said(found[1])


def test_an_items_number_is_in_the_passage_and_in_no_sentence() -> None:
    items = [("Open the valve.", "1."), ("Wait. Close it.", "2.")]
    found = passages(made(*((f"{label} {text}", {"kind": "item", "label": label}) for text, label in items)))
    assert found[0].text == "1. Open the valve.\n\n2. Wait. Close it."
    assert said(found[0]) == ["Open the valve.", "Wait.", "Close it."]
    assert found[0].kind == "item"


def test_rows_are_whole_with_their_cells_and_stay_in_their_table() -> None:
    rows = [record(1, number, Name=f"Worker {number}", Salary=f"{number * 1000}") for number in range(1, 30)]
    whole = with_cells(made(("Pay.", {}), *rows, record(2, 1, Name="Other", Salary="1"), ("After.", {})))
    found = passages(whole, max_words=20)
    assert found[0].kind == found[-1].kind == "paragraph"
    tables = [p for p in found if p.kind == "row"]
    assert sum(len(p.sentences) for p in tables) == 30
    for passage in tables:
        names = [cell.name for cell in passage.cells]
        assert names == ["Name", "Salary"] * len(passage.sentences)
        for (start, end), name, pay in zip(passage.sentences, passage.cells[::2], passage.cells[1::2], strict=True):
            text = whole.text
            assert f"Name: {text[name.start : name.end]}; Salary: {text[pay.start : pay.end]}" == text[start:end]
    assert len(tables[-1].sentences) == 1  # the second table's row is not packed with the first's


def test_a_very_wide_row_is_cut_between_cells_only() -> None:
    fields = {f"column {number}": "value " * 20 + "end" for number in range(100)}
    whole = with_cells(made(record(1, 1, **fields)))
    found = passages(whole)
    assert len(found) > 2
    assert all(len(p.text) <= MAX_ROW_CHARACTERS for p in found)
    assert [cell for p in found for cell in p.cells] == list(whole.blocks[0].cells)
    assert all(p.text.startswith("column ") and p.text.endswith("end") for p in found)


def test_prose_notes_and_fields_do_not_share_a_passage() -> None:
    found = passages(made(("Text.", {"page": 3}), ("Shown above.", {"kind": "caption"}), ("[1] A note.", {"kind": "note"}),
                          ("Name: Ada", {"kind": "field"}), ("Age: 36", {"kind": "field"})))  # fmt: skip
    assert [(p.kind, p.text, p.page) for p in found] == [
        ("paragraph", "Text.\n\nShown above.", 3),
        ("note", "[1] A note.", None),
        ("field", "Name: Ada\n\nAge: 36", None),
    ]
    assert [p.after for p in found] == [found[1].id, found[2].id, None]


def test_sentences_are_packed_up_to_the_limit() -> None:
    assert cut("One two. Three four. Five six.", max_words=4) == ["One two. Three four.", "Five six."]
    assert cut("One two. Three four. Five six.", max_characters=20) == ["One two. Three four.", "Five six."]


def test_an_overlong_sentence_is_cut_at_blanks_or_anywhere() -> None:
    assert cut("aaa bbb ccc ddd", max_characters=8) == ["aaa bbb", "ccc ddd"]
    assert cut("a" * 10, max_characters=4) == ["aaaa", "aaaa", "aa"]


def test_a_text_without_blanks_is_cut_in_time_that_grows_with_its_length() -> None:
    """The splitter alone takes four minutes for this one: its time is the square of a text without blanks."""
    text = "東京は大きい。" * 100_000
    found = passages(document(text, uri="x"))
    assert sum(len(p.sentences) for p in found) == 100_000
