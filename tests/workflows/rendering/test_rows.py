"""Rows of one table that are quoted one behind the other are shown as a table; each is still a quotation of its own."""

from __future__ import annotations

import pytest

from palimpsest.agent import blocks
from palimpsest.agent.draft import Block, Draft
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.state import ResearchState
from palimpsest.retrieval.types import Passage
from palimpsest.ui.workbench.draft import place
from palimpsest.ui.workbench.sheets import chosen_by, sheet
from palimpsest.workflows.rendering import html, markdown, pdf

from ...agent.test_lookups import table
from ...agent.world import passage

LOCKS = table("Lock,Opened,Width\nUpper,1911,5.2 m\nLower,1913,4 m\nOld,,3 m", "Locks | of the canal")
PIERS = table("Pier,Length\nElm,12 m\nOak,31 m", "Piers")


def rows(held: tuple[Passage, ...]) -> list[tuple[Passage, int, int]]:
    return [(p, start, end) for p in held for start, end in p.sentences]


def quoted(name: str, section: str, held: Passage, start: int, end: int) -> Block:
    text = held.text[start - held.start : end - held.start]
    return blocks.quotation(name, section, parts(text, start), held, name)


def state(*told: tuple[str, tuple[Passage, int, int]]) -> ResearchState:
    held = {p.id: p for _, (p, _, _) in told}
    sources = tuple(dict.fromkeys(p.source.id for p in held.values()))
    made = [quoted(f"c{n}", section, *row) for n, (section, row) in enumerate(told)]
    return ResearchState(
        question="?", evidence=tuple(held.values()), references=sources, draft=Draft(blocks=tuple(made))
    )


UPPER, LOWER, OLD = rows(LOCKS.passages)
ELM, OAK = rows(PIERS.passages)


def lines(shown: ResearchState) -> list[str]:
    return [line for line in markdown.render(shown, {}).splitlines()[3:] if line]


def test_rows_of_one_table_stand_under_its_columns_each_with_its_source() -> None:
    """Reports held "Year: 2022; Electric buses: 45; ..." line by line."""
    shown = state(*(("section.1", row) for row in (UPPER, LOWER, OLD)))
    assert lines(shown) == [
        "| Lock | Opened | Width |",
        "| --- | --- | --- |",
        "| Upper [1] | 1911 | 5.2 m |",
        "| Lower [1] | 1913 | 4 m |",
        "| Old [1] |  | 3 m |",
    ]
    page = html.render(shown, "0")
    assert page.count("<tr>") == 4
    assert "<th>" in page
    assert '<a class="cite" href="#source.1">[1]</a>' in page
    assert pdf.render(shown, "0").startswith(b"%PDF")


def test_a_row_alone_and_rows_of_other_tables_or_sections_are_records() -> None:
    assert all(line.startswith("- ") for line in lines(state(("section.1", UPPER), ("section.1", ELM))))
    assert all(line.startswith("- ") for line in lines(state(("section.1", UPPER), ("section.2", LOWER))))
    between = state(("section.1", UPPER), ("section.1", ELM), ("section.1", LOWER))
    assert all(line.startswith("- ") for line in lines(between))


def test_a_list_ends_before_a_table() -> None:
    prose = passage("The canal froze.", "A letter")
    shown = state(("section.1", (prose, 0, len(prose.text))), ("section.1", ELM), ("section.1", OAK))
    assert "- The canal froze. [1]\n\n| Pier |" in markdown.render(shown, {})


@pytest.mark.parametrize("changed", [{"status": "pinned"}, {"status": "open"}, {"person": True}])
def test_what_a_person_touched_is_shown_for_itself(changed: dict[str, object]) -> None:
    shown = state(*(("section.1", row) for row in (UPPER, LOWER, OLD)))
    span = shown.draft.blocks[0].spans[0].model_copy(update=changed)
    touched = shown.model_copy(update={"draft": shown.draft.replace([span])})
    assert [line for line in lines(touched) if line.startswith("| ")][2:] == [
        "| Lower [1] | 1913 | 4 m |",
        "| Old [1] |  | 3 m |",
    ]
    assert sum(line.startswith("- ") for line in lines(touched)) == 1


def test_a_cell_that_is_looked_at_shows_its_quotation() -> None:
    shown = state(("section.1", ELM), ("section.1", OAK))
    (drawn,) = sheet(shown)["blocks"]
    assert drawn["kind"] == "table"
    cell = drawn["rows"][2][1]
    assert next(s["text"] for s in drawn["spans"] if s["id"] == cell) == "31 m"
    found = place(shown.draft, cell)
    assert found is not None
    assert (found[0].id, found[1].id) == ("c1", chosen_by(shown.draft.blocks[1]))
    assert place(shown.draft, "c9/cell/1") is None
