"""Which lines of a grid are titles, which rows name the columns, what each row says: by eye, on small grids."""

from __future__ import annotations

import csv
import io

import pytest

from palimpsest.retrieval.loaders.structure import Writer
from palimpsest.retrieval.loaders.tables import write_tables


def written(text: str, **known: object) -> list[str]:
    """The records of a comma-separated grid, captions and notes with their kind in front."""
    writer = Writer()
    write_tables(writer, list(csv.reader(io.StringIO(text.strip("\n")))), **known)  # type: ignore[arg-type]
    done = writer.finish()
    lines = [(b.kind, done.text[b.start : b.end]) for b in done.blocks]
    return [line if kind == "row" else f"{kind}> {line}" for kind, line in lines]


def test_a_header_names_the_values() -> None:
    assert written('Name,Salary 2024\nCy Ortega,"33,900"') == ["Name: Cy Ortega; Salary 2024: 33,900"]


def test_cells_stand_where_they_say() -> None:
    writer = Writer()
    write_tables(writer, [["Name", "Age"], ["Ada", "36"], ["Bo", "41"]])
    done = writer.finish()
    cells = [(cell.name, done.text[cell.start : cell.end]) for block in done.blocks for cell in block.cells]
    assert cells == [("Name", "Ada"), ("Age", "36"), ("Name", "Bo"), ("Age", "41")]
    assert [(block.table, block.row) for block in done.blocks] == [(1, 1), (1, 2)]


def test_title_lines_above_the_header_are_captions() -> None:
    text = 'Sales report 2024,,\n"Prepared by: finance, Oslo",,\n,,\nRegion,Units,Revenue\nNorth,120,"48,000"\nSouth,85,"31,500"'
    assert written(text) == [
        "caption> Sales report 2024",
        "caption> Prepared by: finance, Oslo",
        "Region: North; Units: 120; Revenue: 48,000",
        "Region: South; Units: 85; Revenue: 31,500",
    ]


def test_title_lines_without_a_blank_row_and_with_keys() -> None:
    text = (
        "Messprotokoll Halle 3\nDatum,12.03.2024\nOrt,Druck,Temperatur,Feuchte\nTor,1013,18.5,40\nKeller,1012,12.0,61"
    )
    assert written(text)[-2:] == [
        "Ort: Tor; Druck: 1013; Temperatur: 18.5; Feuchte: 40",
        "Ort: Keller; Druck: 1012; Temperatur: 12.0; Feuchte: 61",
    ]
    assert written(text)[0] == "caption> Messprotokoll Halle 3"


def test_two_header_rows_are_joined_over_gaps() -> None:
    text = ",Salary,,Bonus,\nName,2023,2024,2023,2024\nAda,31000,32400,100,200\nBo,28500,29100,90,95"
    assert written(text)[0] == "Name: Ada; Salary 2023: 31000; Salary 2024: 32400; Bonus 2023: 100; Bonus 2024: 200"


def test_two_header_rows_with_the_left_name_above() -> None:
    text = "Station,Rain (mm),,Sun (h),\n,May,June,May,June\nHarbour,40,55,180,210\nHill,62,71,150,190"
    assert (
        written(text)[1] == "Station: Hill; Rain (mm) May: 62; Rain (mm) June: 71; Sun (h) May: 150; Sun (h) June: 190"
    )


def test_merged_group_names_that_repeat() -> None:
    text = "Name,2023,2023,2024,2024\nName,Men,Women,Men,Women\nNorth,10,12,11,13\nSouth,20,22,21,23"
    assert written(text)[0] == "Name: North; 2023 Men: 10; 2023 Women: 12; 2024 Men: 11; 2024 Women: 13"


def test_a_row_of_units_is_kept_with_the_names() -> None:
    assert (
        written("Item,Weight,Price\n,kg,EUR\nBolt,0.5,2.10\nNut,0.2,1.05")[0]
        == "Item: Bolt; Weight (kg): 0.5; Price (EUR): 2.10"
    )
    assert (
        written("Item,Weight,Price\n,[kg],[EUR]\nBolt,0.5,2.10\nNut,0.2,1.05")[0]
        == "Item: Bolt; Weight [kg]: 0.5; Price [EUR]: 2.10"
    )


def test_years_name_columns() -> None:
    assert written("Region,2022,2023\nNorth,120,130\nSouth,85,90") == [
        "Region: North; 2022: 120; 2023: 130",
        "Region: South; 2022: 85; 2023: 90",
    ]


def test_no_header_at_all() -> None:
    assert written("Ada Lind,Driver,31000\nBo Maier,Clerk,28500", headers_expected=True) == [
        "Ada Lind; Driver; 31000",
        "Bo Maier; Clerk; 28500",
    ]


def test_a_column_of_years_is_no_header() -> None:
    assert written("1990,5.1\n1991,5.3\n1992,5.2", headers_expected=True)[0] == "1990; 5.1"


def test_words_alone_have_a_header_where_one_is_expected() -> None:
    text = "Name,Role,Town\nAda,Driver,Brixen\nBo,Clerk,Bozen"
    assert written(text, headers_expected=True)[1] == "Name: Bo; Role: Clerk; Town: Bozen"


def test_labels_and_values_are_fields() -> None:
    assert written("Landlord,Larkfield Ltd\nTenant,Dunmore Freight\nRent,900 euros") == [
        "field> Landlord: Larkfield Ltd",
        "field> Tenant: Dunmore Freight",
        "field> Rent: 900 euros",
    ]


def test_a_known_header_is_taken_as_it_is() -> None:
    assert written("a,b\n1,2\n3,4", header_rows=1) == ["a: 1; b: 2", "a: 3; b: 4"]


def test_group_rows_notes_and_repeated_headers() -> None:
    text = "Country,Area,People\nEurope,,\nOrland,10,200\nCountry,Area,People\nBeria,12,310\n"
    text += "Source: the office of statistics of Orland,,"
    assert written(text) == [
        "caption> Europe",
        "Country: Orland; Area: 10; People: 200",
        "Country: Beria; Area: 12; People: 310",
        "note> Source: the office of statistics of Orland",
    ]


def test_two_tables_in_one_sheet() -> None:
    text = "Name,Age\nAda,36\nBo,41\n,\nTown,People\nBrixen,22000\nBozen,107000"
    assert written(text) == [
        "Name: Ada; Age: 36",
        "Name: Bo; Age: 41",
        "Town: Brixen; People: 22000",
        "Town: Bozen; People: 107000",
    ]


def test_a_blank_row_does_not_end_a_table() -> None:
    assert written("Name,Age\nAda,36\n,\nBo,41\nCy,29")[1:] == ["Name: Bo; Age: 41", "Name: Cy; Age: 29"]


def test_empty_cells_are_left_out_and_equal_names_told_apart() -> None:
    assert written("Name,Note,Note\nAda,,36\nBo,x,41")[0] == "Name: Ada; Note (2): 36"


def test_ragged_rows_and_nameless_columns() -> None:
    assert written("Name,Age\nAda,36,extra\nBo,41") == ["Name: Ada; Age: 36; extra", "Name: Bo; Age: 41"]


@pytest.mark.parametrize("width", [2, 300])
def test_wide_tables_keep_every_column(width: int) -> None:
    names = [f"c{n}" for n in range(width)]
    rows = [[str(n * 7) for n in range(width)], [str(n) for n in range(width)]]
    writer = Writer()
    write_tables(writer, [names, *rows])
    assert [len(block.cells) for block in writer.blocks] == [width, width]
