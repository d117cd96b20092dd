"""Pages: tables, lists, banners, metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.retrieval.loaders import load
from palimpsest.retrieval.types import Document
from tests.retrieval.loaders.makers import lines, reasons, records, write


@pytest.fixture
def page(tmp_path: Path):  # type: ignore[no-untyped-def]
    def read(body: str, head: str = "<title>A page</title>") -> Document:
        html = f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"
        return load(write(tmp_path, "a.html", html))

    return read


def test_a_table_keeps_its_rows(page) -> None:  # type: ignore[no-untyped-def]
    table = "<table><tr><th>Ticket</th><th>Weekday</th><th>Weekend</th></tr><tr><td>Adult</td><td>6.50</td><td>8.00</td></tr>"
    found = page(f"<h1>Fees</h1>{table}<tr><td>Family</td><td>15.00 euros</td><td>19.00 euros</td></tr></table>")
    assert found.text == (
        "Fees\n\nTicket: Adult; Weekday: 6.50; Weekend: 8.00\n\nTicket: Family; Weekday: 15.00 euros; Weekend: 19.00 euros"
    )
    assert [block.path for block in found.blocks] == [(), ("Fees",), ("Fees",)]


def test_spans_of_a_header_are_filled(page) -> None:  # type: ignore[no-untyped-def]
    head = (
        "<thead><tr><th rowspan=2>Region</th><th colspan=2>Sales</th></tr><tr><th>2023</th><th>2024</th></tr></thead>"
    )
    found = page(
        f"<table>{head}<tr><td>North</td><td>10</td><td>12</td></tr><tr><td>South</td><td>20</td><td>19</td></tr></table>"
    )
    assert records(found)[1] == {"Region": "South", "Sales 2023": "20", "Sales 2024": "19"}


def test_a_cell_over_several_rows_belongs_to_each(page) -> None:  # type: ignore[no-untyped-def]
    rows = (
        "<tr><th>Day</th><th>Bus</th><th>At</th></tr><tr><td rowspan=2>"
        "Monday</td><td>4</td><td>8:00</td></tr><tr><td>7</td><td>9:30</td></tr>"
    )
    assert records(page(f"<table>{rows}</table>"))[1] == {"Day": "Monday", "Bus": "7", "At": "9:30"}


def test_a_box_of_keys_and_values(page) -> None:  # type: ignore[no-untyped-def]
    rows = "<tr><th>Architect</th><td>Ines Vale</td></tr><tr><th>Opened</th><td>1987</td></tr><tr><th>Length</th><td>212 m</td></tr>"
    assert records(page(f"<table>{rows}</table>")) == [
        {"Architect": "Ines Vale"},
        {"Opened": "1987"},
        {"Length": "212 m"},
    ]


def test_lists_in_cells_and_definition_lists(page) -> None:  # type: ignore[no-untyped-def]
    table = (
        "<table><tr><th>Club</th><th>Members</th></tr><tr><td>Tern</td>"
        "<td><ul><li>Lena Ott</li><li>Ravi Nair</li></ul></td></tr></table>"
    )
    found = page(f"{table}<dl><dt>Opening hours</dt><dd>9 to 17</dd><dt>Phone</dt><dd>555</dd></dl>")
    assert records(found) == [
        {"Club": "Tern", "Members": "Lena Ott, Ravi Nair"},
        {"Opening hours": "9 to 17"},
        {"Phone": "555"},
    ]


def test_numbers_of_lists_are_those_a_browser_prints(page) -> None:  # type: ignore[no-untyped-def]
    found = page(
        "<ol start=3><li>Open<ol type=a><li>Turn</li><li>Push</li></ol></li><li value=9>Wait</li></ol><ul><li>Rest</li></ul>"
    )
    assert lines(found, "item") == ["3. Open", "a. Turn", "b. Push", "9. Wait", "Rest"]
    assert [block.level for block in found.blocks] == [1, 2, 2, 1, 1]


def test_a_page_behind_a_cookie_banner(page) -> None:  # type: ignore[no-untyped-def]
    banner = (
        "<div id='cookie-banner'><p>We and our 842 partners use cookies. "
        "Our policy of 12 May 2021.</p><button>Accept</button></div>"
    )
    menu = "<nav><a href=/>Home</a></nav><ul class=menu><li><a href=/a>News</a><li><a href=/b>Contact</a><li><a href=/c>Jobs</a></ul>"
    found = page(
        f"{banner}{menu}<div class=content><span>Ferry: adult 85 kr, child 40 kr.</span><br><span>Last boat 22:40.</span></div>"
    )
    assert found.text == "Ferry: adult 85 kr, child 40 kr. Last boat 22:40."
    assert found.source.date is None, "a date in a banner is none of the page"


def test_an_article_about_cookies_is_read(page) -> None:  # type: ignore[no-untyped-def]
    found = page(
        "<div class='cookie-recipes'><h1>Oat cookies</h1><p>Bake them for 12 minutes at 180 degrees.</p></div>"
    )
    assert "12 minutes" in found.text


def test_metadata_only_from_metadata(page) -> None:  # type: ignore[no-untyped-def]
    head = (
        "<title>Ferry</title><meta name=author content='Ada Byron'><meta "
        "property='article:published_time' content='2024-03-05T10:00:00Z'>"
    )
    found = page("<p>The ferry of 1887 was sold.</p>", head)
    assert (found.source.title, found.source.authors) == ("Ferry", ("Ada Byron",))
    assert (found.source.date, found.source.date_from) == ("2024-03-05", "metadata")


def test_dates_of_structured_data(page) -> None:  # type: ignore[no-untyped-def]
    data = '{"@graph": [{"@type": "Article", "headline": "Tide", "datePublished": "2023-01-09", "author": [{"name": "Bo Ek"}]}]}'
    found = page("<p>Text.</p>", f"<script type='application/ld+json'>{data}</script>")
    assert (found.source.title, found.source.authors, found.source.date) == ("Tide", ("Bo Ek",), "2023-01-09")


def test_struck_out_and_hidden_text_is_left_out_and_named(page) -> None:  # type: ignore[no-untyped-def]
    found = page(
        "<p>The fee is <del>5</del> <s>6</s> 7 euros.</p><p style='display:none'>Secret.</p><p hidden>More.</p>"
    )
    assert found.text == "The fee is 7 euros."
    assert "Struck-out or deleted text left out (2)" in reasons(found)
    assert "Hidden text left out (2)" in reasons(found)


def test_raised_marks_are_no_part_of_a_figure(page) -> None:  # type: ignore[no-untyped-def]
    found = page(
        "<p>83,190,556<sup><a href='#n'>2</a></sup> people on 12 m<sup>2</sup> each, 10<sup>6</sup> in all.</p>"
    )
    assert found.text == "83,190,556 [2] people on 12 m² each, 10⁶ in all."


def test_code_keeps_its_lines_and_is_no_heading(page) -> None:  # type: ignore[no-untyped-def]
    found = page("<p>Run:</p><pre># a comment\nmake   run</pre>")
    assert lines(found, "code") == ["# a comment\nmake   run"]
    assert lines(found, "heading") == []


def test_a_form_that_was_filled_in(page) -> None:  # type: ignore[no-untyped-def]
    found = page(
        "<p>Name: <input type=text value='Renate Falk'></p><p><input type=checkbox checked> Vegetarian <input type=checkbox> Vegan</p>"
    )
    assert found.text == "Name: Renate Falk\n\n☒ Vegetarian ☐ Vegan"


def test_encodings_of_pages(tmp_path: Path) -> None:
    text = "<p>Der Müßiggang der Brückenwärter dauerte fünf Jahre.</p>"
    declared = f"<meta charset=iso-8859-1>{text}".encode("latin-1")
    assert "Müßiggang" in load(write(tmp_path, "a.html", declared)).text
    assert "Müßiggang" in load(write(tmp_path, "b.html", text.encode())).text
    wrong = f"<meta charset=iso-8859-1>{text}".encode()
    assert "Müßiggang" in load(write(tmp_path, "c.html", wrong)).text, "what the bytes are wins over what is announced"


def test_deeply_nested_html_neither_hangs_nor_kills(tmp_path: Path) -> None:
    path = write(tmp_path, "deep.html", "<div>" * 20_000 + "word" + "</div>" * 20_000)
    assert load(path).text == "word"
