"""When a document is of, and where that is from."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import load
from palimpsest.retrieval.loaders.dates import choose, iso_date
from palimpsest.retrieval.loaders.structure import Dated
from tests.retrieval.loaders.makers import docx_bytes, paragraph, write

TODAY = datetime.date(2026, 11, 26)
WRITTEN = {
    "2024-11-02": "2024-11-02", "2024-11": "2024-11", "2024": "2024", "2024-05-03T10:00:00Z": "2024-05-03",
    "3 March 2024": "2024-03-03",
    "March 3, 2024": "2024-03-03", "June 2024": "2024-06", "3. Mai 2024": "2024-05-03", "3 de mayo de 2024": "2024-05-03",
    "1er mai 2020": "2020-05-01", "5 maggio 2021": "2021-05-05", "12 мая 2021": "2021-05-12", "2024年5月3日": "2024-05-03",
    "31.12.2023": "2023-12-31", "13/04/2025": "2025-04-13", "04/13/2025": "2025-04-13", "03/04/2025": "2025",
    "03/03/2025": "2025-03-03",
    "D:20250610120000": "2025-06-10", "2024-02-30": None, "31.02.2024": None, "Sold 1999": None, "soon": None, "": None,
}  # fmt: skip
OWN = {
    "Harbour office notice of June 2024. The harbour master of Tollen is Marta Quist.": "2024-06",
    "Protokoll der Sitzung vom 3. Mai 2024\n\nAnwesend waren alle.": "2024-05-03",
    "Oslo, 3 May 2024\n\nDear Ms Quist, the boat is ready.": "2024-05-03",
    "The opening hours have changed.\n\nLast updated: 3 March 2024": "2024-03-03",
    "Preisliste\n\nStand: 01.02.2023\n\nEin Brot kostet 4 Euro.": "2023-02-01",
    "Annual report 2023\n\nThe harbour grew.": "2023",
    "Correction of 10 June 2025. The ferry takes 70 minutes.": "2025-06-10",
    "Annual report 2023\n\nPublished 14 March 2024 by the board.\n\nThe harbour grew.": "2024-03-14",
}
NOT_OWN = [
    "The Garland contract was signed on 03/04/2025 and ends on 04/03/2027.",
    "The bridge opened on 3 May 1987. It is 212 metres long.",
    "The battle of 1815 was long.",
    "The report was lost in May 2001 and found again much later, says the board.",
]


@pytest.mark.parametrize("written", WRITTEN)
def test_dates_as_people_write_them(written: str) -> None:
    assert iso_date(written) == WRITTEN[written]


@pytest.mark.parametrize("text", OWN)
def test_what_a_text_says_of_itself(tmp_path: Path, text: str) -> None:
    found = load(write(tmp_path, "a.txt", text)).source
    assert (found.date, found.date_from) == (OWN[text], "text")


UNDER_A_TITLE = {
    "Ana Quist and Tom Berg\nTollen Harbour Reviews, no. 17 — September 2023": "2023-09",
    "*Posted by Ana Quist on The Mole, 3 November 2019*": "2019-11-03",
    "Tollen Courier, Wednesday 19 February 2020\nBy Ana Quist": "2020-02-19",
    "*Approved by the board, 27 February 2025. Written by Ana Quist, Director.*": "2025-02-27",
    "Leaflet 4\n\nFirst issued May 2013. Revised with new fees, March 2019.": "2019-03",
    "Leaflet PL-07, version 3, September 2021\nReview due September 2024": "2021-09",
    "Fieldwork 3–28 June 2024; report 9 September 2024": "2024-09-09",
    "The newsletter of the harbour\nIssue 22, Spring 2008": "2008",
    "Ana Quist, born in May 1950": None,
    "The mole burned down on 3 May 1990.": None,
    "Ana Quist (3 May 1950 – 4 June 2011) was a painter.": None,
    "Opened 3 May 1990": None,
    "The mole burned down 3 May 1990": None,
    "Trout fell by half. The weir broke, 3 May 1990.": None,
    "The toll rose. It was approved 3 May 1990.": None,
    "(3 May 1950 – 4 June 2011)": None,
    "The weir broke.\n\nDamage after the storm, 3 May 1990": None,
    "Flat to let, available 1 May 2025": None,
    "Leaflet PL-07, version 3, September 2021\nNext review September 2024": "2021-09",
    "Published March 2023 | Next review: March 2036": "2023-03",
    "Ana Quist, Harbour Board, Fisheries Section 28 November 2014": "2014-11-28",
    "Approved, Monday 12 March 2018, 7.00 pm": "2018-03-12",
    "The mole was long, and it was the pride of Tollen until the storm came in, 3 May 1990.": None,
}


@pytest.mark.parametrize("text", UNDER_A_TITLE)
def test_the_lines_under_a_title_date_a_text(tmp_path: Path, text: str) -> None:
    """Of 28 documents of a stranger 18 were undated, and their bylines were quoted as findings."""
    rest = "## Findings\n\nThe harbour grew by a third from 1 May 2001 to 3 June 2002. The mole did not."
    found = load(write(tmp_path, "a.md", f"# The harbour of Tollen\n\n{text}\n\n{rest}"))
    assert found.source.date == UNDER_A_TITLE[text]
    kinds = [block.kind for block in found.blocks]
    assert ("byline" in kinds) == (found.source.date is not None)
    assert kinds[-1] == "paragraph"


def test_a_plain_text_has_its_title_above_who_and_when(tmp_path: Path) -> None:
    text = "THE HARBOUR: A GUIDE\nTollen Board\nLeaflet 7, September 2021\n\nThe mole is 212 metres long."
    found = load(write(tmp_path, "a.txt", text))
    assert (found.source.title, found.source.date) == ("THE HARBOUR: A GUIDE", "2021-09")
    assert [block.kind for block in found.blocks] == ["heading", "byline", "byline", "paragraph"]
    two = "Tollen Valley Trust annual review\nMay 2019\n\nThe mole is 212 metres long."
    assert load(write(tmp_path, "c.txt", two)).source.title == "Tollen Valley Trust annual review"
    for lines in ("Barges in the\nUpper Valley, 2019", "Milk\nEggs\nBread", "Tolls fell in 2019\nand rose again"):
        assert load(write(tmp_path, "d.txt", f"{lines}\n\nThe mole is 212 metres long.")).source.title == "d"
    pairs = "Name: Ana Quist\nPost: Harbour master\n\nThe mole is 212 metres long."
    assert load(write(tmp_path, "b.txt", pairs)).source.title == "b"


@pytest.mark.parametrize("text", NOT_OWN)
def test_a_date_of_something_else_is_not_the_texts_own(tmp_path: Path, text: str) -> None:
    found = load(write(tmp_path, "a.txt", text)).source
    assert (found.date, found.date_from) == (None, "")


def test_a_row_of_a_table_is_dated_for_itself(tmp_path: Path) -> None:
    """A workbook was once as old as its first entry."""
    rows = "Pump,Date,Cost\nP-101,2024-02-03,1240\nP-201,2024-05-17,610\n"
    assert load(write(tmp_path, "a.csv", rows)).source.date is None


def test_a_stamp_never_beats_a_stated_date(tmp_path: Path) -> None:
    core = "<x xmlns:t='urn:t'><t:created>2013-12-23T23:15:00Z</t:created></x>"
    text = "Harbour office notice of June 2024. The harbour master is Marta Quist."
    found = load(write(tmp_path, "a.docx", docx_bytes(paragraph(text), parts={"docProps/core.xml": core}))).source
    assert (found.date, found.date_from) == ("2024-06", "text")
    bare = load(write(tmp_path, "b.docx", docx_bytes(paragraph("No date."), parts={"docProps/core.xml": core}))).source
    assert (bare.date, bare.date_from) == ("2013-12-23", "file stamp")


def test_the_order_of_trust_and_the_more_precise_of_two_that_agree() -> None:
    dates = [Dated("2013-01-01", "file stamp"), Dated("2019-05-02", "metadata"), Dated("2024-11-02", "front matter")]
    assert choose(dates, TODAY) == ("2024-11-02", "front matter")
    assert choose([*dates, Dated("June 2022", "text")], TODAY) == ("2022-06", "text")
    assert choose([*dates, Dated("2024", "text")], TODAY) == ("2024-11-02", "front matter")


@pytest.mark.parametrize("impossible", ["9999-01-01", "2999-12-31", "2024-02-30", "2027", "0000-00-00"])
def test_a_date_in_the_future_or_that_does_not_exist_is_unknown(tmp_path: Path, impossible: str) -> None:
    assert choose([Dated(impossible, "front matter"), Dated("2020-01-01", "file stamp")], TODAY) == (None, "")
    assert choose([Dated(impossible, "file stamp")], TODAY) == (None, "")
    found = load(write(tmp_path, "a.md", f"---\ndate: {impossible}\n---\nText."))
    assert impossible == "2027" or found.source.date is None


def test_a_date_in_the_files_name(tmp_path: Path) -> None:
    found = load(write(tmp_path, "2024-11-02 board.txt", "The treasurer is Mina Holt.")).source
    assert (found.date, found.date_from) == ("2024-11-02", "metadata")


def test_the_fields_of_a_letter_and_of_a_sheet_stay_fields(tmp_path: Path) -> None:
    text = "MEMORANDUM\n\nTo: Ana Quist\nFrom: Tom Berg\nDate: 6 February 2006\nSubject: Tolls\n\nThe tolls fell by a third."
    found = load(write(tmp_path, "a.txt", text))
    assert [b.kind for b in found.blocks] == ["heading", *["field"] * 4, "paragraph"]
    assert found.source.date == "2006-02-06"
    sheet = "The mill\n\nHeight: 12 m\nCompleted: May 1985\nSails: 4\n\nThe mill stands in Tollen."
    assert [b.kind for b in load(write(tmp_path, "b.txt", sheet)).blocks].count("field") == 3
