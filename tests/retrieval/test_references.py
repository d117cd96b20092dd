"""References: every format says what is known and nothing else, and no title can break out of its field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from palimpsest.retrieval import references
from palimpsest.retrieval.references import ALIASES, bibtex, csl_json, ris, style_names, styled
from palimpsest.retrieval.types import RetrievalError, Source


def source(**more: Any) -> Source:
    given = {"id": "a" * 12, "uri": "https://open.example/1", "title": "Masks & more", "sha256": "f" * 64}
    return Source(**{**given, **more})


PAPER = source(
    authors=("Ada Byron", "van Rijn, Titus", "Babbage C", "The Mask Group"), date="2025-03-01", doi="10.1000/masks_1", venue="J. Masks",
    publisher="P", licence="cc-by", accessed="2026-11-26", version="published", retracted="corrected",
)  # fmt: skip
PAGE = source(title="A page", extent="abstract", accessed="2026-11-26")
FILE = source(uri="/home/me/notes.md", title="Notes")


def test_csl_json_holds_what_is_known_and_nothing_else() -> None:
    paper, page, file = json.loads(csl_json([PAPER, PAGE, FILE]))
    assert paper["author"] == [
        {"family": "Byron", "given": "Ada"},
        {"family": "van Rijn", "given": "Titus"},
        {"family": "Babbage", "given": "C"},
        {"literal": "The Mask Group"},
    ]
    assert (paper["type"], paper["DOI"], paper["version"]) == ("article-journal", "10.1000/masks_1", "published")
    assert (paper["issued"], paper["accessed"]) == ({"date-parts": [[2025, 3, 1]]}, {"date-parts": [[2026, 11, 26]]})
    assert paper["note"].startswith("Corrected since. Licence: cc-by.")
    assert (page["type"], page["URL"]) == ("webpage", "https://open.example/1")
    assert page["note"].startswith("Only the abstract was read.")
    assert file.keys() == {"id", "type", "title", "note"}


def test_bibtex_has_doi_version_and_day_of_access() -> None:
    text = bibtex([PAPER, FILE])
    assert text.startswith("@article{source1,\n  title = {Masks \\& more},\n")
    assert "  author = {Byron, Ada and van Rijn, Titus and Babbage, C and {The Mask Group}},\n" in text
    assert "  doi = {10.1000/masks_1},\n" in text
    assert "  urldate = {2026-11-26},\n" in text
    assert "  month = {3},\n" in text
    assert "@misc{source2," in text
    assert "  howpublished = {/home/me/notes.md},\n" in text


@pytest.mark.parametrize("title", ["a } b", "a { b", "a \\ b", "50% of $x_1$ #1 ^ ~", "two\nlines }\n@misc{evil,"])
def test_no_title_breaks_out_of_its_field(title: str) -> None:
    text = bibtex([source(title=title)])
    assert text.count("\n@") == 0
    assert text.count("{") == text.count("}")  # BibTeX counts every one of them
    assert ris([source(title="x\nER  - \nTY  - JOUR")]).count("\nER  - \n") == 1


def test_ris_has_a_line_for_each_thing() -> None:
    lines = ris([PAPER]).splitlines()
    assert lines[0] == "TY  - JOUR"
    assert "AU  - Byron, Ada" in lines
    assert "AU  - The Mask Group" in lines
    assert {"DO  - 10.1000/masks_1", "PY  - 2025", "Y2  - 2026/11/26", "ET  - published"} <= set(lines)
    assert lines[-1] == "ER  - "


def test_a_style_by_name_keeps_the_order_of_the_report() -> None:
    first, second, third = styled([source(title="Zebras", authors=("Zoe Zed",), date="2020"), PAPER, FILE])
    assert "Zed" in first
    assert "Byron" in second
    assert "Preprint" not in second
    assert "Preprint" in styled([PAPER.model_copy(update={"version": "preprint"})])[0]
    assert "Masks & more" in second
    assert "Notes" in third


VOLUME = PAPER.model_copy(
    update={
        "volume": "7",
        "issue": "2",
        "pages": "12-19",
        "versions": ("published doi:10.1000/masks_1", "preprint arXiv:2301.00001v2"),
    }
)


def test_volume_pages_and_other_versions_are_told() -> None:
    assert {"volume = {7},", "number = {2},", "pages = {12--19},"} <= set(map(str.strip, bibtex([VOLUME]).splitlines()))
    assert {"VL  - 7", "IS  - 2", "SP  - 12", "EP  - 19"} <= set(ris([VOLUME]).splitlines())
    (item,) = json.loads(csl_json([VOLUME]))
    assert (item["volume"], item["issue"], item["page"]) == ("7", "2", "12-19")
    assert "preprint arXiv:2301.00001v2" in item["note"]
    assert "7(2), 12–19" in styled([VOLUME], "apa")[0]


@pytest.mark.parametrize("style", [*style_names(), *ALIASES])
def test_each_style_by_name_names_each_source_once(style: str) -> None:
    """Numbers are the report's own, titles that take the place of an author stand once, and nothing is dropped."""
    lines = styled([VOLUME, PAGE, FILE, PAPER], style)
    assert len(lines) == 4
    for line, word in zip(lines, ("yron", "a page", "notes", "yron"), strict=True):
        assert word in line.lower()
        assert line.lower().count("a page") <= 1
        assert line.lower().count("notes") <= 1
        assert not line.startswith(("1", "[1", "(1"))
        assert "SHA-256" not in line
    assert lines[0].endswith("[Corrected since.]")
    assert lines[1].endswith("[Only the abstract was read.]")


def test_a_style_of_the_package_and_one_of_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine.csl"
    mine.write_bytes((Path(references.__file__).parent / "citation_styles" / "ieee.csl").read_bytes())
    assert styled([PAPER], str(mine)) == styled([PAPER], "ieee")
    assert "Byron" in styled([PAPER], "plos")[0]
    mine.write_text("<style/>")
    with pytest.raises(RetrievalError, match="cannot be used"):
        styled([PAPER], str(mine))


@pytest.mark.parametrize("style", ["no-such-style", "../../etc/passwd", "missing.csl"])
def test_an_unknown_style_says_what_there_is(style: str) -> None:
    with pytest.raises(RetrievalError, match="harvard-cite-them-right"):
        styled([PAPER], style)
