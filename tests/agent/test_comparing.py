"""Things told apart by the rows of a table, or by its columns: by all that it tells of them, or by what names what is asked."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.agent.comparing import Means, compared
from palimpsest.agent.draft import copied_words
from palimpsest.agent.forms import CELL_CHARACTERS, Cell

from .test_lookups import table

MILLS = "Mill,Owner,Toll (crowns),Height (m)\nElm mill,Kesk,30,12\nAsh,Kesk,,9\nOak,Orta,41,7\nOak,Orta,42,8"


def by_name_alone(words: str, columns: Sequence[str]) -> str:
    return ""


def shown(found: dict[tuple[str, str], Cell]) -> dict[tuple[str, str], str]:
    return {place: copied_words([piece.text for piece in cell]) for place, cell in found.items()}


def side_by_side(
    things: tuple[str, ...], *attributes: str, held: str = MILLS, means: Means = by_name_alone, more: str = ""
) -> dict[tuple[str, str], str]:
    question = f"Compare {' and '.join(things)} mill by {' and '.join(attributes)}."
    tables = [table(held, "Mills"), *([table(more, "Others")] if more else [])]
    return shown(compared(question, things, attributes, tables, means))


def test_things_are_compared_by_the_columns_of_the_table_that_has_a_row_for_each() -> None:
    found = side_by_side(("elm", "Ash"))
    assert found == {
        ("elm", "Owner"): "Kesk",
        ("elm", "Toll (crowns)"): "30",
        ("elm", "Height (m)"): "12",
        ("Ash", "Owner"): "Kesk",
        ("Ash", "Height (m)"): "9",
    }
    assert side_by_side(("Elm mill", "Oak")) == {}  # two rows are called Oak
    assert side_by_side(("Elm mill", "Kesk")) == {}  # two mills are of Kesk
    assert side_by_side(("Elm mill", "Birch")) == {}
    assert side_by_side(()) == {}


def test_a_part_of_its_name_tells_a_row_where_no_other_has_that_part() -> None:
    """ "Compare air-source and ground-source": the table calls them heat pumps, and its rows stood whole in every cell."""
    held = "System,Cost (crowns),Noise outdoors\nair-source heat pump,11400,yes\nground-source heat pump,22000,none"
    held += "\ndistrict heating,8900,none\nair-source dryer,700,none"
    things, cost = ("ground-source", "district heating"), "cost"
    found = compared(
        "Compare ground-source and district heating by cost.", things, (cost,), [table(held, "Heat")], by_name_alone
    )
    assert shown(found) == {
        ("ground-source", cost): "Cost (crowns): 22000",
        ("district heating", cost): "Cost (crowns): 8900",
    }
    things = ("air-source", "ground-source")
    assert (
        compared("Compare air-source and ground-source.", things, (), [table(held)], by_name_alone) == {}
    )  # two are air-source
    long = held.replace("ground-source heat pump", "no ground-source heat pump of any kind was bought")
    assert (
        compared(
            "Compare ground-source and district heating.",
            ("ground-source", "district heating"),
            (),
            [table(long)],
            by_name_alone,
        )
        == {}
    )


def test_of_a_table_without_some_of_the_things_the_rows_of_the_others_stand() -> None:
    """ "Compare weir removal and nature-like bypasses": the only table of passes had a bypass, and its row of the report was empty."""
    found = side_by_side(("Elm mills", "birches"), "height", held=MILLS)
    assert found == {("Elm mills", "height"): "Height (m): 12"}
    assert side_by_side(("Oak", "Birch"), "height") == {}  # two rows are called Oak
    assert side_by_side(("Elm", "Birch"), "height", held=MILLS.replace("Elm mill", "Elm mill by the sea")) == {}
    kinds = "Site,Kind,Toll\nSelm,stone passes,3\nOrta,wooden pass,4"
    assert side_by_side(("stone pass", "ferries"), "toll", held=kinds) == {("stone pass", "toll"): "Toll: 3"}


def test_of_a_table_of_such_things_the_rows_stand_though_one_thing_has_none() -> None:
    """ "Hedges, 40 m of them" are hedges: what stands behind a comma is no part of a name."""
    held = "Shelter,Cost (crowns),Height (m)\nHawthorn hedges, 40 m of them,300,3\nSlatted nets,120,4\nNone,0,0"
    held = held.replace("Hawthorn hedges, 40 m of them", '"Hawthorn hedges, 40 m of them"')
    found = side_by_side(("hedges", "nets", "banks"), "cost", held=held)
    assert found == {("hedges", "cost"): "Cost (crowns): 300", ("nets", "cost"): "Cost (crowns): 120"}
    assert side_by_side(("hedges", "banks"), "cost", held=held) == {}, "one row alone may be of anything"


def test_the_cell_that_a_thing_is_called_by_tells_nothing_of_it() -> None:
    """A table of plots by their protection once said "Protection: hedges" of hedges."""
    plots = "Plot,Protection,Height (m)\nLow field,hedges,3\nHigh field,nets,4\nFar field,walls,2\nMoor,walls,1"
    found = side_by_side(("hedges", "walls"), "protection", "height", held=plots)
    assert found == {("hedges", "height"): "Height (m): 3"}


def test_none_is_said_of_what_is_compared() -> None:
    found = side_by_side(("Elm mill", "Ash"), "noise", held="Mill,Noise at night\nElm mill,none\nAsh,58 dB\nOak,n/a")
    assert list(found.values()) == ["Noise at night: none", "Noise at night: 58 dB"]
    assert side_by_side(("Ash", "Oak"), "noise", held="Mill,Noise\nOak,n/a\nAsh,58 dB") == {
        ("Ash", "noise"): "Noise: 58 dB"
    }


def test_an_attribute_is_compared_by_the_column_that_names_it() -> None:
    """With its column ahead: the question does not name the unit."""
    found = side_by_side(("Elm mill", "Ash"), "height of the mill", "age")
    assert found == {
        ("Elm mill", "height of the mill"): "Height (m): 12",
        ("Ash", "height of the mill"): "Height (m): 9",
    }
    narrow = "Mill,Day,Toll,Toll of boats\nElm mill,30,31,7\nAsh,20,21,8"
    found = side_by_side(("Elm mill", "Ash"), "toll a day", held=narrow)
    assert found == {}  # is it the day or the toll?
    assert side_by_side(("Elm mill", "Ash"), "toll", held=narrow)["Ash", "toll"] == "Toll: 21"


def test_what_several_columns_name_is_told_by_each_of_them() -> None:
    both = "Mill,Toll 2023,Toll 2024\nElm mill,30,31\nAsh,20,\nOak,,"
    found = side_by_side(("Elm mill", "Ash", "Oak"), "toll", held=both)
    assert found == {
        ("Elm mill", "toll"): "Toll 2023: 30; Toll 2024: 31",
        ("Ash", "toll"): "Toll 2023: 20",
    }
    many = [f"Toll of the year {1800 + n}" for n in range(CELL_CHARACTERS // 20)]
    wide = f"Mill,{','.join(many)}\nElm mill{',3' * len(many)}\nAsh{',4' * len(many)}"
    assert side_by_side(("Elm mill", "Ash"), "toll", held=wide) == {}  # no cell that a reader takes in


TURNED = "Measure,Elm mill,Ash\nWheel at high water,9 turns,7 turns\nWheel at low water,4 turns,5 turns\nToll,30,none\nStones,,two"


def test_things_that_are_columns_are_compared_as_those_that_are_rows() -> None:
    """ "Measure | Scriba 2 | Quill": the comparison found none of it, and its records stood raw in the report."""
    found = side_by_side(("Elm mill", "Ash"), "wheel", "toll", "stones", held=TURNED)
    assert found == {
        ("Elm mill", "wheel"): "Wheel at high water: 9 turns; Wheel at low water: 4 turns",
        ("Ash", "wheel"): "Wheel at high water: 7 turns; Wheel at low water: 5 turns",
        ("Elm mill", "toll"): "Toll: 30",
        ("Ash", "toll"): "Toll: none",
        ("Ash", "stones"): "Stones: two",
    }
    bare = side_by_side(("Elm mill", "Ash"), held=TURNED)
    assert bare["Ash", "Wheel at low water"] == "5 turns"
    assert side_by_side(("Elm mill", "Birch"), "toll", held=TURNED) == {("Elm mill", "toll"): "Toll: 30"}
    unclear = "Measure,Elm mill,Ash\nToll,30,40\nToll,31,41"
    assert side_by_side(("Elm mill", "Ash"), "toll", held=unclear) == {}  # its rows are not told apart


def test_every_piece_of_a_cell_stands_where_it_is_said_to_stand() -> None:
    source = table(TURNED, "Mills")
    found = compared("Compare Elm mill and Ash.", ("Elm mill", "Ash"), ("wheel",), [source], by_name_alone)
    pieces = [piece for cell in found.values() for piece in cell]
    assert len(pieces) == 8
    assert all(piece.text == p.text[piece.start - p.start : piece.end - p.start]
               for piece in pieces for p in source.passages if p.id == piece.sentences[0].passage.id)  # fmt: skip


def test_what_the_first_table_does_not_tell_the_next_one_does() -> None:
    more = "Name,Toll,Millers\nAsh,99,5\nElm mill,98,6"
    found = side_by_side(("Elm mill", "Ash"), "toll", "millers", held=TURNED, more=more)
    assert found == {
        ("Elm mill", "toll"): "Toll: 30",
        ("Ash", "toll"): "Toll: none",
        ("Elm mill", "millers"): "Millers: 6",
        ("Ash", "millers"): "Millers: 5",
    }


def test_an_attribute_that_no_column_names_has_the_column_that_it_surely_means() -> None:
    """ "Cut in noise" found nothing in a table with "Quieter by (dB)", and the column stood empty."""
    held = "Mill,Quieter by (dB),Toll\nElm mill,4,30\nAsh,9,20"
    meant = {"cut in noise": "Quieter by (dB)", "hush": "Quieter by (dB)", "fee": "Toll"}

    def means(words: str, columns: Sequence[str]) -> str:
        assert "Mill" not in columns, "what the rows are called is no attribute of theirs"
        return meant.get(words, "")

    found = side_by_side(("Elm mill", "Ash"), "cut in noise", "height", held=held, means=means)
    assert found == {
        ("Elm mill", "cut in noise"): "Quieter by (dB): 4",
        ("Ash", "cut in noise"): "Quieter by (dB): 9",
    }
    assert side_by_side(("Elm mill", "Ash"), "cut in noise", "hush", held=held, means=means) == {}  # which one is it?
    named = side_by_side(("Elm mill", "Ash"), "toll", "fee", held=held, means=means)
    assert {attribute for _, attribute in named} == {"toll"}  # a column that is named is not meant by other words
