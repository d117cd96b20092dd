"""Questions read over tables: rows by the names they hold, columns by weights, operations computed over all rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

import pytest

from palimpsest.agent.computing import Operation, compute
from palimpsest.agent.draft import Support
from palimpsest.agent.hypotheses import Hypothesis
from palimpsest.agent.lookups import ColumnWeights, Reading, Undecided, read
from palimpsest.agent.standing import standing
from palimpsest.agent.state import ResearchState
from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.records import ITEM, NUMBER, Field, Row, Table, tables, tables_of
from palimpsest.retrieval.types import Block, Cell, Document, Source

WEIGHTS = ColumnWeights(words=1.0, nearness=4.0, none=2.5, least=0.4, clear=2.0)
STAFF = """Name,Role,Pay 2023,Pay 2024,Office
Ada Lind,Driver,31000,32400,Brixen
Bo Maier,Clerk,28500,29100,Brixen
Cy Ortega,Driver,30200,33900,Bozen
Dana Pohl,Manager,52000,54500,Bozen"""


def table(text: str, title: str = "Staff", date: str | None = None) -> Table:
    """A table from lines of cells with commas between, as the loaders make one."""
    names, *rows = csv.reader(text.split("\n"))
    written, blocks, at = "", [], 0
    for number, row in enumerate(rows, 1):
        start, cells = at, []
        for place, (name, value) in enumerate(zip(names, row, strict=True)):
            lead = f"{'; ' if place else ''}{name}: "
            written += lead + value
            cells.append(Cell(name=name, start=at + len(lead), end=at + len(lead) + len(value)))
            at = len(written)
        blocks.append(Block(kind="row", start=start, end=at, table=1, row=number, cells=tuple(cells)))
        written += "\n\n"
        at = len(written)
    source = Source(id=title.lower(), uri=f"test:{title}", title=title, sha256="0" * 64, date=date)
    document = Document(source=source, text=written, blocks=tuple(blocks))
    (found,) = tables_of(document, passages(document))
    return found


class Near:
    """Nearness by a table of pairs; everything else is far."""

    def __init__(self, **pairs: dict[str, float]):
        self.pairs, self.asked = pairs, count()

    def __call__(self, question: str, names: Sequence[str]) -> list[float]:
        next(self.asked)
        known = next((near for word, near in self.pairs.items() if word in question), {})
        return [known.get(name, 0.05) for name in names]


def ask(
    question: str, operation: Operation = "value", *held: Table, near: Near | None = None
) -> Reading | Undecided | None:
    return read(question, operation, held or (table(STAFF),), WEIGHTS, near or Near())


def answer(question: str, operation: Operation = "value", near: Near | None = None) -> str:
    found = ask(question, operation, near=near)
    assert isinstance(found, Reading), found
    return found.text


def test_rows_of_passages_are_put_together_again() -> None:
    found = table(STAFF)
    assert found.columns == ("Name", "Role", "Pay 2023", "Pay 2024", "Office")
    assert [row.fields[0].text for row in found.rows] == ["Ada Lind", "Bo Maier", "Cy Ortega", "Dana Pohl"]
    assert tables(found.passages)[0].rows == found.rows


def test_an_answer_is_a_cell_of_the_row_that_holds_the_name() -> None:
    """It was once the cell of the row before."""
    found = ask("What was the pay of Cy Ortega in 2024?")
    assert isinstance(found, Reading)
    assert found.text == "33900"
    assert found.computation is None
    assert [c.name for c in found.cells] == ["Pay 2024"]
    assert found.rows[0].fields[0].text == "Cy Ortega"
    assert answer("What was the pay of Ortega in 2023?") == "30200"


@pytest.mark.parametrize(
    "question",
    [
        "What was the pay of Eva Braun in 2024?",  # no such row
        "What was the pay of Cy Ortega in 2021?",  # no such column
        "What was the pay of Cy Ortega in Vienna in 2024?",  # nothing is known of Vienna
        "Who built the bridge?",
    ],
)
def test_a_table_that_does_not_hold_what_is_named_is_not_asked(question: str) -> None:
    assert not isinstance(ask(question), Reading)


def test_a_column_may_be_near_without_being_named() -> None:
    town = "Town,Population,Area\nKelso,6800,12\nSelm,9100,31"
    near = Near(inhabitants={"Population": 0.6, "Area": 0.1})
    found = read("How many inhabitants does Kelso have?", "value", [table(town, "Towns")], WEIGHTS, near)
    assert isinstance(found, Reading)
    assert (found.text, found.cells[0].name) == ("6800", "Population")


def test_below_the_margin_it_is_left_open_with_the_columns_named() -> None:
    town = "Town,Population,Area\nKelso,6800,12\nSelm,9100,31"
    for known in ({"Population": 0.5, "Area": 0.45}, {"Population": 0.2, "Area": 0.1}):
        found = read("How much does Kelso have?", "value", [table(town, "Towns")], WEIGHTS, Near(much=known))
        assert isinstance(found, Undecided)
        assert "“Population”, “Area”" in found.why


@pytest.mark.parametrize(
    ("question", "operation", "text"),
    [
        ("List all drivers.", "list", "Ada Lind; Cy Ortega"),
        ("List all drivers of the Brixen office.", "list", "Ada Lind"),
        ("How many drivers are there?", "count", "2"),
        ("How many offices are there?", "count", "2"),
        ("Who had the highest pay in 2024?", "most", "Dana Pohl"),
        ("Who had the second highest pay in 2024?", "most", "Cy Ortega"),
        ("What was the lowest pay 2023?", "least", "28500"),
        ("What was the total pay 2024 of the drivers?", "total", "66300"),
        ("What was the average pay 2024?", "average", "37475"),
        ("How much more pay 2024 had Ada Lind than Bo Maier?", "difference", "3300"),
        ("Which persons had pay 2024 of more than 33000?", "list", "Cy Ortega; Dana Pohl"),
    ],
)
def test_operations_run_over_the_rows_that_are_meant(question: str, operation: Operation, text: str) -> None:
    found = ask(question, operation)
    assert isinstance(found, Reading), found
    assert found.text == text
    assert found.computation is not None
    assert compute(found.computation, found.table).text == text


def test_words_that_nothing_accounts_for_leave_a_list_open() -> None:
    found = ask("List all married drivers.", "list")
    assert isinstance(found, Undecided)
    assert "married" in found.why


def test_tables_that_differ_are_decided_by_date_or_left_open() -> None:
    older, newer = (
        table(f"Name,Desk\nIda,{d}\nJon,B1", t, date) for d, t, date in (("A4", "Old", "2022"), ("C2", "New", "2024"))
    )
    undated = table("Name,Desk\nIda,Z9\nJon,B1", "Third")
    found = ask("What is the desk of Ida?", "value", older, newer)
    assert isinstance(found, Reading)
    assert found.text == "C2"
    left = ask("What is the desk of Ida?", "value", older, undated)
    assert isinstance(left, Undecided)
    assert "A4 (Old); Z9 (Third)" in left.why
    agreed = ask("What is the desk of Jon?", "value", older, undated)
    assert isinstance(agreed, Reading)
    assert agreed.text == "B1"


def test_an_entry_of_a_numbered_list_is_asked_for_by_its_number() -> None:
    source = Source(id="s", uri="test:s", title="Starting the pump", sha256="0" * 64)
    rows = tuple(
        Row(n, "s-0", n, n, (Field(NUMBER, str(n), "s-0", n, n), Field(ITEM, text, "s-0", n, n)))
        for n, text in enumerate(("Open the valve.", "Press the button.", "Wait."), 1)
    )
    steps = Table("s.list.0", source, (NUMBER, ITEM), rows, (), "Starting the pump")
    for question in ("What is the second step of starting the pump?", "What is step 2 of starting the pump?"):
        found = ask(question, "value", steps)
        assert isinstance(found, Reading)
        assert found.text == "Press the button."
    assert ask("What is the second rule of chess?", "value", steps) is None


def test_where_no_column_is_clear_the_row_is_read() -> None:
    held, asked = table("Name,Room,Desk\nAda,north,window\nBo,south,corner", "Staff"), list[str]()

    def off(question: str, row: str, cells: Sequence[str]) -> list[float]:
        asked.append(row)
        return [-0.1 if cell == "window" else -7.0 for cell in cells]

    weights = WEIGHTS.model_copy(update={"cell": 0.5, "cell_least": -4.0})
    found = read("Where does Ada sit?", "value", (held,), weights, Near(), off)
    assert isinstance(found, Reading)
    assert (found.text, asked) == ("window", ["Staff. Name: Ada. Room: north. Desk: window"])
    assert isinstance(read("Where does Ada sit?", "value", (held,), weights, Near()), Undecided)
    sure = weights.model_copy(update={"cell_least": 0.0})
    assert isinstance(read("Where does Ada sit?", "value", (held,), sure, Near(), off), Undecided)


def test_a_verb_names_the_column_of_its_noun() -> None:
    """ "does operate" was once said to mean nothing among the columns, with "Operator" among them."""
    towers = table("Tower,Operator,Height\nElm,Kesk Council,30\nAsh,Kesk Council,41\nOak,Halm Board,12", "Towers")
    found = ask("How many towers does the Kesk Council operate?", "count", towers)
    assert isinstance(found, Reading)
    assert found.text == "2"
    unclear = ask("How many towers does the Kesk Council paint?", "count", towers)
    assert isinstance(unclear, Undecided)
    assert "“paint”" in unclear.why


def test_a_table_that_is_asked_aside_accounts_for_every_word() -> None:
    """Why the pay of somebody fell was once answered by their pay."""
    held, why = [table(STAFF)], "Why did the pay 2024 of Cy Ortega shrink?"
    assert isinstance(read(why, "value", held, WEIGHTS, Near()), Reading)
    assert read(why, "value", held, WEIGHTS, Near(), is_aside=True) is None
    plain = read("What is the pay 2024 of Cy Ortega?", "value", held, WEIGHTS, Near(), is_aside=True)
    assert isinstance(plain, Reading)
    assert plain.text == "33900"
    assert (
        read("Compare all staff of Bozen.", "list", held, WEIGHTS, Near(), is_aside=True) is None
    )  # no line of its own


def test_sheets_of_one_workbook_are_told_apart() -> None:
    """Both sides were once called "Pumps"."""
    dear, worn = table("Pump,Price\nP-101,18400\nP-202,33500"), table("Pump,Price\nP-101,18400\nP-202,99")
    sides = [
        replace(t, passages=tuple(p.model_copy(update={"path": (sheet,)}) for p in t.passages))
        for t, sheet in ((dear, "Bought"), (worn, "Mended"))
    ]
    found = read("What is the price of P-202?", "value", sides, WEIGHTS, Near())
    assert isinstance(found, Undecided)
    assert "33500 (Staff, Bought); 99 (Staff, Mended)" in found.why
    assert table(STAFF).name == "Staff"


def test_an_answer_from_a_cell_tells_its_column() -> None:
    """ "9.4" once stood without what it measures and its unit."""
    towers = table("Tower,Height (m)\nElm,30\nAsh,41", "Towers")
    found = ask("What is the height of Elm?", "value", towers)
    assert isinstance(found, Reading)
    (cell,) = found.cells
    own = Support(passage=cell.passage, quote=cell.text, start=cell.start, end=cell.end)
    answer = Hypothesis(id="q1.h1", question="q1", text=cell.text, kind="answer", support=(own,))
    state = ResearchState(question="What is the height of Elm?", evidence=towers.passages)
    assert standing(state, answer) == "“Height (m)”; one source"
    within = own.model_copy(update={"start": cell.start - 3})
    assert standing(state, answer.model_copy(update={"support": (within,)})) == "one source"


KILNS = "Kiln,Built,Cost (crowns),Fuel (kg),Height (m)\nEast kiln,1998,4100,310,12\nWest kiln,2011,9300,505,9"


@pytest.mark.parametrize(
    ("question", "right"),
    [
        ("What is the cost of the East kiln?", "4100"),
        ("What does the East kiln cost in crowns?", "4100"),
        ("How many kg of fuel does the East kiln burn?", "310"),
        ("How many kilograms of fuel has the East kiln?", "310"),  # a unit of what the column measures
        ("What height in metres has the brick East kiln?", "12"),  # what comes right ahead of a name only describes it
        ("How much does the East kiln swallow?", "310"),  # words of its own ask for the column
        ("How much does the East kiln burn in winter?", "310"),
        ("What is the East kiln appetite?", "310"),  # the only word there is to ask with
        ("What did the East kiln workshop cost?", ""),
        ("What did the roof of the East kiln cost?", ""),
        ("What does East kiln insurance cost?", ""),
        ("What is the fuel price of the East kiln?", ""),
        ("How much does the East kiln workshop swallow?", ""),
    ],
)
def test_a_cell_answers_nothing_that_is_asked_of_something_else(question: str, right: str) -> None:
    """What a landing cost was once answered by the fare of its ferry: "landing" stood nowhere in the table."""
    near = Near(swallow={"Fuel (kg)": 0.9, "Fuel": 0.9}, winter={"Fuel": 0.9}, appetite={"Fuel": 0.9})
    found = read(question, "value", [table(KILNS, "Pottery")], WEIGHTS, near)
    assert (found.text if isinstance(found, Reading) else "") == right
