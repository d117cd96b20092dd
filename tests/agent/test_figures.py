"""Figures keep their sign, currency, scale, range and unit, and agree across units."""

from __future__ import annotations

import pytest

from palimpsest.agent.evidence_text import parts, same_answer, whole_figure
from palimpsest.agent.figures import agree, asked_dimensions, figures, is_other_measure, places, single
from palimpsest.agent.rivals import stands
from palimpsest.agent.state import Candidate
from palimpsest.retrieval.types import Passage, Source

SOURCE = Source(id="s", uri="test:s", title="S", sha256="0" * 64)


@pytest.mark.parametrize(
    ("text", "figure", "low", "high", "unit"),
    [
        ("It was -18.5 °C inside.", "-18.5 °C", 254.65, 254.65, "kelvin"),
        ("It was −7 m below.", "−7 m", -7.0, -7.0, "meter"),
        ("a loss of -3,2 Mio. EUR then", "-3,2 Mio. EUR", -3.2e6, -3.2e6, "EUR"),
        ("it grew by 2–3 % then", "2–3 %", 0.02, 0.03, "dimensionless"),
        ("from -5 to 10 m deep", "-5 to 10 m", -5.0, 10.0, "meter"),
        ("built in the 1990s by them", "1990", 1990.0, 1990.0, ""),
        ("in the 33s that it took", "33s", 33.0, 33.0, "second"),
        ("worth $1.2 bn today", "$1.2 bn", 1.2e9, 1.2e9, "USD"),
        ("he is 5'10\" tall", "5'10\"", 1.778, 1.778, "meter"),
        ("between 10 and 20 km off", "10 and 20 km", 10_000.0, 20_000.0, "meter"),
        ("it holds 1.250,75 litres", "1.250,75 litres", 1.25075, 1.25075, "meter ** 3"),
        ("moves 4,200 litres a second", "4,200 litres a second", 4.2, 4.2, "meter ** 3 / second"),
        ("paid EUR 48,000 for it", "EUR 48,000", 48_000.0, 48_000.0, "EUR"),
        ("sold for 1,250 euros a tonne", "1,250 euros a tonne", 1_250.0, 1_250.0, "EUR/tonne"),
        ("takes ninety-five minutes", "ninety-five minutes", 5_700.0, 5_700.0, "second"),
        ("at 120 km/h", "120 km/h", 33.3333, 33.3333, "meter / second"),
        ("12 square kilometres of peat", "12 square kilometres", 1.2e7, 1.2e7, "meter ** 2"),
        ("there were 83,190,556 of them", "83,190,556", 83_190_556.0, 83_190_556.0, ""),
    ],
)
def test_a_figure_is_read_whole(text: str, figure: str, low: float, high: float, unit: str) -> None:
    (found,) = figures(text)
    assert (found.text, found.unit) == (figure, unit)
    assert text[found.start : found.end] == figure
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-4)


def test_a_day_of_the_month_is_no_figure() -> None:
    assert figures("Minutes of 3 May and of 2024-06-01.") == []
    assert [f.text for f in figures("In 1988, 14 came.")] == ["1988", "14"]


@pytest.mark.parametrize(
    ("one", "other", "agreeing"),
    [
        ("984 feet", "300 m", True),
        ("120 minutes", "2 hours", True),
        ("95 minutes", "2 hours", False),
        ("100 m", "101 m", False),
        ("5 miles", "8 km", True),
        ("3 euros", "3 dollars", False),
        ("$1.2 bn", "$1,200 million", True),
        ("-18 °C", "18 °C", False),
        ("5 kg", "5 m", False),
    ],
)
def test_equal_figures_agree_in_whatever_unit(one: str, other: str, agreeing: bool) -> None:
    ours, theirs = single(one), single(other)
    assert ours is not None
    assert theirs is not None
    assert agree(ours, theirs) is agreeing
    assert same_answer(one, other) is agreeing


def test_a_sentence_stands_where_it_says_the_same_in_another_unit() -> None:
    assert stands("984 feet", "The tower is 300 m high.")
    assert not stands("984 feet", "The tower is 310 m high.")
    assert not stands("12", "It was -12 then.")
    assert not stands("12", "It has 12 million then.")


def test_a_place_of_a_sentence_holds_number_and_unit_together() -> None:
    """A revision once put the number of one source before the unit of another: 95 hours."""
    found = parts("The ferry to Skarn takes 95 minutes.", 0)
    assert [p.text for p in found if p.kind == "NUMBER"] == ["95 minutes"]
    assert places("Minutes of 3 May.") == [(11, 16)]


@pytest.mark.parametrize(
    ("text", "read", "whole", "question"),
    [
        ("It was -18.5 °C inside.", "18.5", "-18.5 °C", ""),
        ("The loss was -3,2 Mio. EUR.", "3,2 Mio", "-3,2 Mio. EUR", ""),
        ("The deposit is three months' rent.", "rent", "three months' rent", ""),
        ("It reaches 12 knots.", "12", "12", "How many knots does it reach?"),
        ("It reaches 12 knots.", "12", "12 knots", "How fast is it?"),
        ("It lies on the lake.", "lake", "lake", ""),
    ],
)
def test_a_reading_takes_the_whole_figure(text: str, read: str, whole: str, question: str) -> None:
    held = Passage(id="s-0", text=text, source=SOURCE, start=0, end=len(text), sentences=((0, len(text)),))
    start = text.index(read)
    found = whole_figure(
        Candidate(text=read, passage="s-0", start=start, end=start + len(read), probability=0.5), held, question
    )
    assert found.text == whole
    assert text[found.start : found.end] == whole


@pytest.mark.parametrize(
    ("question", "text", "read", "is_other"),
    [
        ("How long is the warranty?", "The pump weighs 48 kg.", "48 kg", True),
        ("How long is the warranty?", "It lasts 36 months.", "36 months", False),
        ("How many people came?", "Minutes of 3 May.", "3", True),
        ("How many people came?", "There came 18 people.", "18", False),
        ("How many miles is it?", "It is 5 miles off.", "5 miles", False),
        ("How many people came?", "It is 5 miles off.", "5 miles", True),
        ("Who came?", "It is 5 miles off.", "5 miles", False),
        ("How much flour does one loaf take?", "It is enough for ten loaves.", "ten", False),  # no unit
        ("How much seed does it take to sow an acre?", "A sack is enough for six acres.", "six acres", True),
        ("How much seed does it take to sow an acre?", "It takes 90 kg of rye.", "90 kg", False),
        ("What does gas cost per litre?", "The tank holds 40 litres.", "40 litres", True),
        ("How many minutes a day does it run?", "It runs for 50 minutes.", "50 minutes", False),
    ],
)
def test_a_figure_of_another_measure_answers_nothing(question: str, text: str, read: str, is_other: bool) -> None:
    start = text.index(read)
    assert is_other_measure(question, text, start, start + len(read)) is is_other


def test_superlatives_ask_for_a_measure() -> None:
    assert asked_dimensions("Which lake is the deepest?") == {"length"}
    assert asked_dimensions("Which is the heaviest boat?") == {"mass"}
    assert asked_dimensions("Who built the boat?") == frozenset()


def test_a_figure_in_brackets_is_a_loss() -> None:
    loss = single("(500)")
    assert loss is not None
    assert loss.low == -500
    assert single("(500 of 700)") is None


@pytest.mark.parametrize(
    ("text", "words", "is_other"),
    [
        ("From May the mill serves the other 11.", "11", True),
        ("It lost 340 tonnes of grain.", "340 tonnes", True),
        ("It opened on 9 May after a delay.", "9 May", False),
        ("It opened in 1931.", "1931", False),
        ("It ran from 1931 to 1950.", "1931 to 1950", False),
        ("It was burnt in 44 BC.", "44", False),
        ("It opens at 9.", "9", False),
        ("It closed in season 8.", "8", False),
        ("It closed after 20 minutes.", "20 minutes", False),
        ("It closed in the Three Years War.", "the Three Years War", False),
    ],
)
def test_when_is_answered_by_no_bare_number(text: str, words: str, is_other: bool) -> None:
    start = text.index(words)
    assert is_other_measure("When did the mill close?", text, start, start + len(words)) is is_other
    assert not is_other_measure("When the mill closed, what was lost?", text, start, start + len(words))
