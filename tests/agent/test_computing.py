"""What is computed over the rows of a table, and what its columns hold."""

from __future__ import annotations

import pytest

from palimpsest.agent.computing import (
    Computation,
    Condition,
    NotComputable,
    Operation,
    compute,
    content_of,
    date_of,
    dimension_of,
    meets,
)
from palimpsest.retrieval.records import Table

from .test_lookups import table


def computed(operation: Operation, column: str, held: Table, named: str = "", *conditions: Condition) -> str:
    return compute(
        Computation(table=held.id, operation=operation, column=column, named=named, conditions=conditions, title="T"),
        held,
    ).text


def test_amounts_are_written_as_the_cells_write_theirs() -> None:
    fees = table("Ticket,Weekend\nAdult,8.00 euros\nChild,4.20 euros\nFamily,19.00 euros", "Fees")
    assert computed("total", "Weekend", fees) == "31.20 euros"
    assert computed("average", "Weekend", fees) == "10.4 euros"
    tons = table("Mine,Yield\nA,1.2 t\nB,800 kg", "Mines")
    assert computed("total", "Yield", tons) == "2.0 t"
    assert computed("most", "Yield", tons, "Mine") == "A"


def test_what_cannot_be_computed_says_why() -> None:
    mixed = table("Thing,Size\nA,3 m\nB,2 kg\nC,1 m", "Things")
    with pytest.raises(NotComputable, match="different units"):
        computed("total", "Size", mixed)
    with pytest.raises(NotComputable, match="no figures"):
        computed("total", "Thing", mixed)
    with pytest.raises(NotComputable, match="no row"):
        computed("list", "Thing", mixed, "", Condition(column="Thing", relation="is", values=("Z",)))


def test_dates_are_ordered_as_dates() -> None:
    held = table("Club,Founded\nA,1998\nB,1921\nC,2004", "Clubs")
    assert computed("first", "Founded", held, "Club") == "B"
    assert computed("last", "Founded", held, "Club") == "C"
    days = table("Club,Met\nA,2024-03-01\nB,4 May 2023\nC,2023-11-30", "Clubs")
    assert computed("first", "Met", days, "Club") == "B"


def test_what_a_column_holds_is_told() -> None:
    assert content_of(["31,000", "28,500", "-"]) == "figure"
    assert content_of(["1998", "2004"]) == "date"
    assert content_of(["Apple", "Pear"]) == "words"
    assert dimension_of("Depth (m)", ["31", "76"]) == "length"
    assert dimension_of("Length", ["24 m", "31 m"]) == "length"
    assert dimension_of("Crew", ["6", "9"]) == ""


def test_a_name_that_holds_a_number_is_no_figure() -> None:
    assert content_of(["IC 88", "EN 295", "Rivo 30", "HX-20"]) == "words"
    assert content_of(["CHF 12", "EUR 30", "$1,200"]) == content_of(["about 20 m", "ca. 30 km"]) == "figure"


def test_a_bound_in_another_unit_than_the_columns_is_turned_into_it() -> None:
    lakes = table("Lake,Area (ha)\nOrta,12\nSelm,3\nKelso,31", "Lakes")
    found = compute(
        Computation(table=lakes.id, operation="list", column="Lake", title="Lakes",
                    conditions=(Condition(column="Area (ha)", relation="below", values=("5 ha",)),)), lakes,
    )  # fmt: skip
    assert found.text == "Selm"


def test_a_month_is_the_same_on_every_day_that_it_is_read() -> None:
    dated = table("Event,Day\nFair,2024-05-02\nRace,2024-05\nFeast,2024-06", "Events")
    asked = Computation(table=dated.id, operation="first", column="Day", named="Event", title="Events")
    assert compute(asked, dated).text == "Race"


def test_school_and_financial_years_are_years() -> None:
    """ "Since 2020" once left 2020/21 out."""
    years = ["2019/20", "2020-21", "2021–22", "FY2022", "2023/2024", "2024 (to June)"]
    assert content_of(years) == "date"
    held = table("Season,Guests\n" + "\n".join(f"{year},{n}" for n, year in enumerate(years)), "Inn")
    since = Condition(column="Season", relation="from", values=("2020",))
    assert [row.fields[0].text for row in held.rows if meets(row, since)] == years[1:]
    assert date_of("2020-11") != date_of("2020-21")  # a month is none
    assert content_of(["12/13", "14/15"]) != "date"
