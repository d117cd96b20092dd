"""Markdown and its front matter."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.loaders import load
from tests.retrieval.loaders.makers import kinds, lines, reasons, records, write


def test_front_matter_with_lists(tmp_path: Path) -> None:
    """One indented list line once made the whole front matter part of the text."""
    head = "---\ntitle: Minutes of the board\nauthor:\n  - Ines Vale\n  - Tom Reed\ndate: 2024-11-02\ntags:\n  - board\n---\n\n"
    found = load(write(tmp_path, "a.md", head + "The treasurer is Mina Holt.\n"))
    assert found.text == "The treasurer is Mina Holt."
    assert (found.source.title, found.source.authors) == ("Minutes of the board", ("Ines Vale", "Tom Reed"))
    assert (found.source.date, found.source.date_from) == ("2024-11-02", "front matter")


def test_front_matter_of_other_makes(tmp_path: Path) -> None:
    head = "---\ntitle: Cats\nauthors: A. Smith, B. Jones\ndate: 3 March 2024\nurl: https://example.org/cats\n---\n"
    found = load(write(tmp_path, "a.md", head + "# Heading\n\nCats sleep."))
    assert found.text == "Heading\n\nCats sleep."
    assert (found.source.authors, found.source.date) == (("A. Smith", "B. Jones"), "2024-03-03")
    assert found.source.uri == "https://example.org/cats"
    toml = load(write(tmp_path, "b.md", '+++\ntitle = "Dogs"\ndate = 2024-05-06\nauthors = ["Bo Ek"]\n+++\nDogs bark.'))
    assert (toml.text, toml.source.title, toml.source.date) == ("Dogs bark.", "Dogs", "2024-05-06")
    many = load(write(tmp_path, "c.md", "---\ntitle: 'A: b'\nauthor:\n  name: x\n  - y\n---\nText."))
    assert "Text." in many.text, "front matter that is no YAML harms nothing"


def test_front_matter_that_is_no_yaml_is_read_line_by_line(tmp_path: Path) -> None:
    """A colon in a title made of the whole front matter a heading, and lost the date."""
    head = "---\ntitle: Sundials: how to read one\nauthor:\n  - Ines Vale\n  - Tom Reed\ndate: 2023-05-08\nby: @reed\n---\n\n"
    found = load(write(tmp_path, "a.md", head + "# Sundials\n\nThey need the sun.\n"))
    assert found.text == "Sundials\n\nThey need the sun."
    assert (found.source.title, found.source.authors) == ("Sundials: how to read one", ("Ines Vale", "Tom Reed"))
    assert (found.source.date, found.source.date_from) == ("2023-05-08", "front matter")
    quoted = '---\n# of the clockmaker\ntitle: "Clocks" and: dials\n\ndate: 2023-05-08\n---\nThey need none.'
    found = load(write(tmp_path, "b.md", quoted))
    assert (found.text, found.source.title) == ("They need none.", '"Clocks" and: dials')


@pytest.mark.parametrize("title", ["[Draft] Dials", "*Dials* of stone", "'Dials' and clocks", "%dials", "Dials: a: b"])
def test_values_that_are_no_yaml_are_read_as_written(tmp_path: Path, title: str) -> None:
    found = load(write(tmp_path, "a.md", f"---\ntitle: {title}\ndate: 2023-05-08\n---\nThey need the sun."))
    assert (found.text, found.source.date) == ("They need the sun.", "2023-05-08")
    assert found.source.title == title


def test_prose_between_rules_is_no_front_matter(tmp_path: Path) -> None:
    text = "---\nDials: stone: old\nThey need the sun.\n---\n\nClocks do not."
    assert "They need the sun." in load(write(tmp_path, "a.md", text)).text


def test_front_matter_may_not_name_a_file_as_its_address(tmp_path: Path) -> None:
    path = write(tmp_path, "a.md", "---\nurl: library:trusted.md\n---\nText.")
    assert load(path).source.uri == str(path)


def test_aliases_that_grow_without_end_do_no_harm(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert load(write(tmp_path, "a.md", f"---\n{bomb}title: Calm\n---\nText.")).source.title == "Calm"


def test_blocks(tmp_path: Path) -> None:
    text = (
        "# Pump\n\nRead *this* [first](http://x.y).\n\n## Start\n\n1. Open.\n2. Push.\n   - gently\n3. Wait.\n\n"
        "```sh\n# no heading\nrun\n```\n\n| Part | Price (EUR) |\n|---|---|\n| Bolt | 2.10 |\n| Nut | 1.05 |\n\nOld ~~price~~.\n"
    )
    found = load(write(tmp_path, "a.md", text))
    assert kinds(found) == [
        "heading",
        "paragraph",
        "heading",
        "item",
        "item",
        "item",
        "item",
        "code",
        "row",
        "row",
        "paragraph",
    ]
    assert lines(found)[:4] == ["Pump", "Read this first.", "Start", "1. Open."]
    assert lines(found, "code") == ["# no heading\nrun"]
    assert records(found)[0] == {"Part": "Bolt", "Price (EUR)": "2.10"}
    assert found.blocks[-1].path == ("Pump", "Start")
    assert "Struck-out" in reasons(found)
    assert found.source.title == "Pump"


def test_html_in_markdown_and_notes(tmp_path: Path) -> None:
    table = "<table><tr><th>Team</th><th>Points</th></tr><tr><td>Orby</td><td>12</td></tr></table>"
    found = load(write(tmp_path, "a.md", f"{table}\n\nThe club won.[^1]\n\n[^1]: In extra time.\n"))
    assert records(found) == [{"Team": "Orby", "Points": "12"}]
    assert "The club won.[1]" in found.text
    assert lines(found, "note") == ["[1] In extra time."]


def test_a_rule_at_the_top_is_no_front_matter(tmp_path: Path) -> None:
    assert "no colon" in load(write(tmp_path, "a.md", "---\nno colon here\n---\nText.")).text


def test_titles(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.md", "## The heading ##\n\nText.")).source.title == "The heading"
    assert load(write(tmp_path, "notes.txt", "Text.")).source.title == "notes"
    found = load(write(tmp_path, "b.md", "---\ntitle: Cats\u2028and dogs\ndate: 2025-06-10\n---\nThey purr."))
    assert (found.source.title, found.source.date) == ("Cats and dogs", "2025-06-10")


def test_lines_too_long_for_the_parser_are_read_as_text_and_said(tmp_path: Path) -> None:
    found = load(write(tmp_path, "a.md", "# Title\n\n" + "word " * 20_000))
    assert "was read as plain text" in reasons(found)


def test_a_paragraph_of_bold_words_is_a_heading(tmp_path: Path) -> None:
    """Many write headings so; the first of a text without others is its title, and a memo is about its subject."""
    text = (
        "Weather office\n\n**Fog on the lake, 3 to 5 May**\n\nIt lay for **three** days.\n\n**Boats**\n\nNone sailed.\n"
    )
    found = load(write(tmp_path, "a.md", text))
    assert found.source.title == "Fog on the lake, 3 to 5 May"
    assert kinds(found) == ["paragraph", "heading", "paragraph", "heading", "paragraph"]
    memo = load(
        write(tmp_path, "b.md", "**To:** Board **From:** Ines Vale\n\n**Subject: what the ferry costs**\n\nA lot.\n")
    )
    assert memo.source.title == "what the ferry costs"
    headed = load(write(tmp_path, "c.md", "# Ferries\n\n**Boats**\n\nNone sailed.\n\n## Fares\n\nThey rose.\n"))
    assert headed.source.title == "Ferries"
    assert [p.path for p in passages(headed)] == [("Ferries", "Boats"), ("Ferries", "Fares")]


def test_bold_words_that_say_something_are_no_heading(tmp_path: Path) -> None:
    for text in ("**The ferry is closed.**", "**Mind** the **gap**", "**Fares** rose"):
        found = load(write(tmp_path, "a.md", f"{text}\n\nNone sailed.\n"))
        assert kinds(found) == ["paragraph", "paragraph"], text
