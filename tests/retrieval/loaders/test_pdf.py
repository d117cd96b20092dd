"""PDF: order, running heads, forms, note marks, pages without text."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import Limits, load
from tests.retrieval.loaders.makers import at, lines, pdf_bytes, pdf_pages, reasons, records, write


def test_text_and_metadata(tmp_path: Path) -> None:
    info = "/Title (A PDF title) /Author (Ada Byron) /CreationDate (D:20250610120000)"
    found = load(write(tmp_path, "a.pdf", pdf_bytes("Cats sleep all day.", info)))
    assert found.text == "Cats sleep all day."
    assert (found.source.title, found.source.authors) == ("A PDF title", ("Ada Byron",))
    assert (found.source.date, found.source.date_from) == ("2025-06-10", "file stamp")
    assert found.blocks[0].page == 1
    assert found.blocks[0].box is not None


def test_a_sentence_goes_on_over_the_page_and_running_heads_are_dropped(tmp_path: Path) -> None:
    head, foot = at(60, 750, "Annual report 2023 - Confidential", 9), "{}"
    body = [
        [
            "The water authority of Lindau operates eleven pump-",
            "ing stations. The largest of them was paid for by the",
        ],
        [
            "state of Vorarlberg in 1988. A second sluice followed in 1991.",
            "It was repaired twice before it was closed down.",
        ],
        ["The third chapter is about the harbour of Lindau and its", "boats, of which there are 212 in all seasons."],
    ]
    pages = []
    for number, rows in enumerate(body, start=17):
        drawn = "".join(at(60, 700 - 13 * row, text, 10) for row, text in enumerate(rows))
        pages.append(head + drawn + at(280, 30, foot.format(number), 9))
    found = load(write(tmp_path, "a.pdf", pdf_pages(pages)))
    assert "eleven pumping stations. The largest of them was paid for by the state of Vorarlberg in 1988." in found.text
    assert "Confidential" not in found.text
    assert "17" not in found.text


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left = ["The left column speaks of the old", "harbour and its boats, which lay", "there for many years in peace."]
    right = [
        "The right column speaks of the new",
        "harbour and its cranes, which are",
        "red and very high and very loud.",
    ]
    drawn = "".join(at(60, 700 - 13 * n, text, 10) + at(330, 700 - 13 * n, right[n], 10) for n, text in enumerate(left))
    found = load(write(tmp_path, "a.pdf", pdf_pages([drawn])))
    assert "old harbour and its boats, which lay there for many years in peace." in found.text


@pytest.mark.parametrize(("mark", "note"), [("2", "Estimate of the office."), ("*", "Without the islands.")])
def test_a_note_mark_is_no_part_of_the_figure(tmp_path: Path, mark: str, note: str) -> None:
    drawn = (
        at(60, 700, "The population was 83,190,556", 11) + at(216, 704, mark, 6.5) + at(224, 700, "people in 2020.", 11)
    )
    drawn += at(60, 60, f"{mark} {note}", 8)
    found = load(write(tmp_path, "a.pdf", pdf_pages([drawn])))
    assert "83,190,5562" not in found.text
    assert "83,190,556" in found.text
    assert note in found.text


def test_an_exponent_is_written_as_one(tmp_path: Path) -> None:
    drawn = at(60, 700, "The field measures 120 m", 11) + at(185, 704, "2", 6.5) + at(192, 700, "and is green.", 11)
    assert "120 m²" in load(write(tmp_path, "a.pdf", pdf_pages([drawn]))).text


def form(with_looks: bool) -> bytes:
    """Two text fields and a tick box; values without an appearance are drawn by the viewer only."""
    fields = [
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (n) /V (Renate Falk) /Rect [200 690 400 710] /P 4 0 R >>",
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (s) /V (12,500 euros) /Rect [200 650 400 670] /P 4 0 R >>",
        "<< /Type /Annot /Subtype /Widget /FT /Btn /T (v) /V /Yes /AS /Yes "
        "/Rect [60 610 75 625] /P 4 0 R /AP << /N << /Yes 9 0 R >> >> >>",
        "<< /Type /XObject /Subtype /Form /BBox [0 0 15 15] /Length 0 >>\nstream\n\nendstream",
    ]
    drawn = at(60, 695, "Name of the applicant:") + at(60, 655, "Approved sum:") + at(80, 613, "Vegetarian lunch")
    catalog = "/AcroForm << /Fields [6 0 R 7 0 R 8 0 R] /NeedAppearances true >>"
    return pdf_pages([drawn], fields, catalog, "/Annots [6 0 R 7 0 R 8 0 R]")


def test_values_of_a_form(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.pdf", form(with_looks=False)))
    assert {"Name of the applicant": "Renate Falk"} in records(found)
    assert {"Approved sum": "12,500 euros"} in records(found)
    assert any("☒" in value for record in records(found) for value in record.values())


def test_pages_without_text_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    square = "0.5 g 100 100 300 300 re f\n"
    found = load(
        write(
            tmp_path,
            "a.pdf",
            pdf_pages([at(60, 700, "The pump weighs 48 kg."), square, at(60, 700, "It needs a fuse.")]),
        )
    )
    assert "Page 2 of 3 without text" in reasons(found) or "read by OCR" in reasons(found)
    assert [block.page for block in found.blocks][:1] == [1]


def test_a_blank_page_is_nothing_that_was_not_read(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.pdf", pdf_pages([at(60, 700, "The pump weighs 48 kg."), ""])))
    assert found.unread == ()


def test_pages_beyond_the_limit_are_named(tmp_path: Path) -> None:
    pages = [at(60, 700, f"This is page {number} of the manual.") for number in range(1, 5)]
    found = load(write(tmp_path, "a.pdf", pdf_pages(pages)), limits=Limits(pages=2))
    assert "page 2 of" in found.text
    assert "page 3 of" not in found.text
    assert "after the first 2 of 4" in reasons(found)


def test_what_a_program_writes_where_nobody_gave_a_title_is_none(tmp_path: Path) -> None:
    found = load(write(tmp_path, "paper.pdf", pdf_bytes("Cats sleep.", "/Title (\\(anonymous\\)) /Author (anonymous)")))
    assert (found.source.title, found.source.authors) == ("paper", ())


def test_a_hash_in_a_pdf_is_no_title(tmp_path: Path) -> None:
    assert load(write(tmp_path, "paper.pdf", pdf_bytes("# a comment"))).source.title == "paper"


def test_a_table_of_a_page(tmp_path: Path) -> None:
    rows = [
        ("Model", "Score", "Time (s)"),
        ("Alpha", "0.951", "3.10"),
        ("Beta", "0.965", "2.73"),
        ("Gamma", "0.970", "4.02"),
    ]
    drawn = "".join(
        at(60 + 120 * c, 700 - 18 * r, cell, 10) for r, row in enumerate(rows) for c, cell in enumerate(row)
    )
    grid = "".join(f"55 {715 - 18 * r} m 415 {715 - 18 * r} l S\n" for r in range(5)) + "".join(
        f"{55 + 120 * c} 643 m {55 + 120 * c} 715 l S\n" for c in range(4)
    )
    found = load(write(tmp_path, "a.pdf", pdf_pages([drawn + grid])))
    assert {"Model": "Beta", "Score": "0.965", "Time (s)": "2.73"} in records(found), lines(found)
    boxes = [block.box for block in found.blocks if block.kind == "row"]
    tops = [box[1] for box in boxes if box]
    assert len(tops) == 3
    assert [round(b - a) for a, b in pairwise(tops)] == [18, 18]
    assert all(box and box[3] - box[1] < 18.5 and box[0] < 65 and box[2] > 300 for box in boxes)
