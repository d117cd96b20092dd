"""Names of columns and fields as programs write them, read as words with their units."""

from __future__ import annotations

from pathlib import Path

import pytest

from palimpsest.agent import figures
from palimpsest.agent.computing import dimension_of
from palimpsest.retrieval.loaders import load
from palimpsest.retrieval.loaders.names import _UNITS, as_words

from .test_formats import write


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("barge,toll_eur,load_t,first_trip", "barge,toll (EUR),load (t),first trip"),
        ("full_share_2023_pct,speed_kmh", "full share 2023 (%),speed kmh"),
        ("toll_eur_per_ton,lead_mg_per_l", "toll (EUR per ton),lead (mg per l)"),
        ("draught_min,draught_max", "draught min,draught max"),  # a minimum, and no minutes
        ("load_t,load_kg", "load t,load kg"),
        ("bargeName,tollEur,trips2023,ownerID", "barge name,toll (EUR),trips 2023,owner ID"),
        ("TOLL_EUR,HX_20", "TOLL (EUR),HX 20"),
        ("Title,arXiv,iPhone", "Title,arXiv,iPhone"),  # names beside words are no names of a program's
        ("kWh,pH,iPhone", "kWh,pH,iPhone"),
        ("Toll (EUR),Load in t", "Toll (EUR),Load in t"),
        ("_id,id_,toll", "_id,id_,toll"),
        ("toll_day,tollDay", "toll_day,tollDay"),  # two columns stay two
    ],
)
def test_names_are_read_as_words(names: str, expected: str) -> None:
    columns = names.split(",")
    assert as_words(columns, range(len(columns))) == tuple(expected.split(","))


def test_what_holds_no_figures_has_no_unit() -> None:
    assert as_words(["plan_m", "load_t"], [1]) == ("plan m", "load (t)")


@pytest.mark.parametrize("unit", sorted(set(_UNITS.values())))
def test_every_unit_is_one_that_figures_have(unit: str) -> None:
    assert dimension_of(f"toll ({unit})", ["3"]) == figures.figures(f"3 {unit}")[0].dimension != ""


def test_a_file_of_a_program_is_written_in_words(tmp_path: Path) -> None:
    assert load(write(tmp_path, "a.csv", "barge,toll_eur,home_port\nTolomeo,30,Orta\nMarisa,41,Kesk\n")).text == (
        "barge: Tolomeo; toll (EUR): 30; home port: Orta\n\nbarge: Marisa; toll (EUR): 41; home port: Kesk"
    )
    held = '{"laid_down": 1921, "bargeFleet": [{"bargeName": "Marisa", "loadT": 40}]}'
    assert load(write(tmp_path, "a.json", held)).text.replace("\n\n", "|") == (
        "laid down: 1921|barge fleet|barge name: Marisa; load (t): 40"
    )
