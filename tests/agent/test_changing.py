"""Change over time: the table by years of what a question asks about, and none where that is not sure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.agent import changing
from palimpsest.agent.lookups import meant_column
from palimpsest.agent.state import Find, Query, ResearchState, SubQuestion, Tools
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Passage

from .lake import NoTables, TopicReader, states
from .test_lookups import WEIGHTS, Near, table
from .world import NUMBERS, ScriptedWriter, Shelf, passage, report

FERRY = (
    "Season,Passengers,Fare (crowns),Days closed\n2022/23,5100,4.2,9\n2019/20,7400,3.1,-\n2020/21,310,3.1,200\n"
    "2021/22,4000,3.9,31"
)
ACROSS = "Pier,Builder,2015,2018,2021\nElm,Kesk,12,14,9\nOak,Halm,31,30,44"
GENERAL = ("use", "situation")  # without these a question is the same to this reader


class Reader(TopicReader):
    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [[1.0, *(float(word in text and word not in GENERAL) for word in WORDS)] for text in texts]
        return np.array(rows, dtype=np.float32) / np.linalg.norm(rows, axis=1, keepdims=True).astype(np.float32)


WORDS = (
    "use",
    "situation",
    "crew",
    "opinions",
    "ferry",
    "passengers",
    "fare",
    "popularity",
    "piers",
    "toll",
    "days",
    "hours",
)


class Held(NoTables):
    def __init__(self, near: Near, *tables: Table) -> None:
        self.near, self.held = near, tables

    def tables_beside(self, passages: Sequence[Passage]) -> list[Table]:
        return list(self.held)

    def column(self, words: str, columns: Sequence[str]) -> str:
        return meant_column(words, columns, WEIGHTS, self.near)


def asked(text: str, *tables: Table, near: Near | None = None) -> ResearchState:
    question = SubQuestion(id="q1", text=text, asked=text, form="open")
    note = passage("The ferry runs on the lake.", "Ferry")
    state = ResearchState(
        question=text,
        questions=(question,),
        evidence=(note,),
        queries=(Query(text=text, question="q1", reason="question", asked=True),),
        finds=(Find(passage=note.id, query=text, rank=1, score=1.0),),
    )
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, Reader(), records=Held(near or Near(), *tables))
    (after,) = states(changing.write(state, tools, question))
    return after


def lines(text: str, *tables: Table, near: Near | None = None) -> list[str]:
    state = asked(text, *tables, near=near)
    shown = report(state).replace(" [1]", "") if state.draft.blocks else ""
    return [line.strip("| ") for line in shown.splitlines() if line.startswith("|") and "---" not in line]


def test_what_is_asked_about_is_told_by_year_in_order_with_every_cell_cited() -> None:
    """The row 2020/21 was dropped, and the others stood as records among the findings."""
    state = asked("How has the fare of the ferry changed since 2020?", table(FERRY, "Ferry of Selm"))
    shown = report(state)
    assert "## Change over time" in shown
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert rows == [
        "| Season | Fare (crowns) |",
        "| --- | --- |",
        "| 2020/21 [1] | 3.1 [1] |",
        "| 2021/22 [1] | 3.9 [1] |",
        "| 2022/23 [1] | 4.2 [1] |",
    ]
    for span in (s for s in state.draft.spans() if s.support):
        place, held = span.support[0], state.passage(span.support[0].passage)
        assert held.text[place.start - held.start : place.end - held.start] == span.text


@pytest.mark.parametrize(
    ("question", "head"),
    [
        ("How have the fare and the passengers of the ferry changed?", "Season | Passengers | Fare (crowns)"),
        ("How has the use of the ferry changed?", "Season | Passengers | Fare (crowns) | Days closed"),
        ("How has the popularity of the ferry changed?", "Season | Passengers"),  # by nearness
        ("How has the crew of the ferry changed?", ""),
        ("How have opinions on the fare of the ferry changed?", ""),
        ("How has the use of the canal changed?", ""),
        ("What is the fare of the ferry?", ""),
        ("What has changed since 2020?", ""),
    ],
)
def test_a_table_tells_only_what_is_asked_about(question: str, head: str) -> None:
    near = Near(popularity={"Passengers": 0.9}, canal={}, opinions={"Fare": 0.3})
    assert next(iter(lines(question, table(FERRY, "Ferry of Selm"), near=near)), "") == head


def test_a_column_is_named_without_what_it_is_counted_per() -> None:
    """ "How did accidents change?" had no table where the column says "Accidents per 1,000 trips"."""
    told = table("Year,Delays per 1000 trips,Toll per barge,Toll per raft\n2001,8,3,2\n2002,5,4,2", "Lock of Selm")
    assert lines("How have delays changed?", told)[0] == "Year | Delays per 1000 trips"
    assert lines("How did the toll change?", told)[0] == "Year | Toll per barge | Toll per raft"
    assert lines("How did the toll per raft change?", told)[0] == "Year | Toll per raft"


def test_words_beside_a_columns_own_must_tell_nothing() -> None:
    """ "Opinions on the toll" are not the toll, however near its column is."""
    near = Near(toll={"Bridge toll": 0.9})
    held = table("Year,Bridge toll\n2019,4\n2020,5", "Halm")
    assert lines("How have opinions on the toll changed?", held, near=near) == []
    assert lines("How has the situation of the toll changed?", held, near=near) != []


def test_a_word_beside_a_columns_own_may_mean_it_with_that() -> None:
    """The "waiting hours" are what the column "Waiting" tells."""
    held = table("Year,Waiting,Toll\n2019,4,1\n2020,5,2", "Ferry of Selm")
    asked_for = "How have waiting hours at the ferry changed?"
    near = Near(**{"waiting hours": {"Waiting": 0.9}})
    assert lines(asked_for, held, near=near)[0] == "Year | Waiting"
    assert lines(asked_for, held) == []


def test_years_that_head_columns_are_times_too() -> None:
    held = table(ACROSS, "Piers")
    assert lines("How has the use of piers changed between 2015 and 2018?", held) == [
        "Elm | Oak",
        "2015 | 12 | 31",
        "2018 | 14 | 30",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Name,Joined\nIda,2019\nJon,2020",  # times of things, not what was at a time
        "Year,Toll\n2019,4\n2019,5",
        "Year,Toll\n2019,4\nlater,5",
        "Year,Toll\n2019,4",
    ],
)
def test_what_has_no_time_of_its_own_in_each_row_is_no_table_by_years(text: str) -> None:
    assert changing.by_time(table(text)) is None


def test_a_long_table_is_not_shown() -> None:
    rows = "\n".join(f"{year},{n}" for year, n in zip(range(1900, 1901 + changing.MOST), count(), strict=False))
    assert changing.by_time(table(f"Year,Toll\n{rows}")) is None
