"""The page of a PDF on which words stand, with a frame around them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from palimpsest.retrieval.loaders import load, page_picture
from palimpsest.retrieval.types import RetrievalError, Source
from palimpsest.workflows import pictures
from tests.retrieval.loaders.makers import at, pdf_bytes, pdf_pages

WORDS = "The barge Marisa reaches 12 knots on the lake."
FRAME = (176, 68, 94)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "barges.pdf"
    path.write_bytes(pdf_bytes(WORDS))
    return load(path).source


def test_the_page_is_drawn_with_a_frame_around_the_words(source: Source) -> None:
    assert pictures.has_pages(source)
    picture = pictures.page_of(source, 4, 9)
    assert picture is not None
    assert picture.page == 1
    image = Image.open(io.BytesIO(picture.png)).convert("RGB")
    framed = [i for i, pixel in enumerate(image.get_flattened_data()) if pixel == FRAME]
    assert 50 < len(framed) < image.width * image.height / 4


def test_the_frame_is_around_the_row_of_a_table(tmp_path: Path) -> None:
    """Of a record of a table its own row is framed, not the rows beside it."""
    rows = [
        ("Quay", "Length", "Depth"),
        ("North", "412 m", "9.5 m"),
        ("South", "388 m", "8.1 m"),
        ("Grain", "250 m", "11.2 m"),
    ]
    path = tmp_path / "quays.pdf"
    path.write_bytes(
        pdf_pages(
            ["".join(at(72 + 150 * c, 700 - 20 * r, cell) for r, row in enumerate(rows) for c, cell in enumerate(row))]
        )
    )
    document = load(path)
    heights = []
    for name in ("North", "South", "Grain"):
        start = document.text.index(name)
        picture = pictures.page_of(document.source, start, start + len(name))
        assert picture is not None
        image = Image.open(io.BytesIO(picture.png)).convert("RGB")
        lines = [n // image.width for n, pixel in enumerate(image.get_flattened_data()) if pixel == FRAME]
        heights.append((min(lines), max(lines)))
    assert all(bottom - top < 2 * 20 * 110 / 72 for top, bottom in heights)
    assert heights == sorted(heights)
    assert len(set(heights)) == 3


def test_a_file_that_is_gone_or_another_shows_no_page(source: Source) -> None:
    path = Path(source.uri)
    path.write_bytes(pdf_bytes("Something else was written here afterwards."))
    assert pictures.page_of(source, 4, 9) is None
    path.unlink()
    assert not pictures.has_pages(source)
    assert pictures.page_of(source, 4, 9) is None
    assert not pictures.has_pages(source.model_copy(update={"media_type": "text/plain"}))


def test_a_page_that_is_not_there_or_a_broken_file_is_a_sentence(source: Source, tmp_path: Path) -> None:
    with pytest.raises(RetrievalError, match="has no page 7; it has 1"):
        page_picture(source.uri, 7, (0, 0, 10, 10))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    with pytest.raises(RetrievalError, match="broken PDF"):
        page_picture(tmp_path / "broken.pdf", 1, (0, 0, 10, 10))
