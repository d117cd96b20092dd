"""A budget of seconds: kept inside steps, never by throwing away what was saved, and no clock decides where none is given."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from palimpsest.agent import loop
from palimpsest.agent.budget import BATCH, GRACE, READING, BudgetSpent, Clock, Stopped, timed, watched
from palimpsest.agent.state import Budget, Candidate, Event, ResearchState, Step, Tools, Verdict
from palimpsest.retrieval.types import Found, Passage

from .world import NUMBERS, ScriptedWriter, Shelf, passage, report

SECONDS = 100.0


class Hands:
    """A clock that moves when work is done; `cost` seconds a call of the writer or the search."""

    def __init__(self, cost: float):
        self.time, self.cost = 50.0, cost

    def __call__(self) -> float:
        return self.time

    def work(self) -> None:
        self.time += self.cost


class SlowWriter(ScriptedWriter):
    """Keeps how many canvases each call took, and lets time pass in it."""

    def __init__(self, hands: Hands):
        super().__init__({})
        self.hands, self.sizes = hands, list[int]()

    def answers(self, question: str, kind: str, passages: Sequence[Passage], k: int) -> list[Candidate]:
        self.hands.work()
        self.sizes.append(len(passages))
        return [Candidate(text=p.text, passage=p.id, start=0, end=len(p.text), probability=0.5) for p in passages]

    def verdicts(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        self.hands.work()
        self.sizes.append(len(pairs))
        return [Verdict(supports=len(claim) / 100, refutes=0, silent=0) for claim, _ in pairs]


def tools(hands: Hands) -> Tools:
    return Tools(SlowWriter(hands), Shelf(), NUMBERS)


def state(seconds: float, spent: float = 0.0) -> ResearchState:
    return ResearchState(question="Who?", budget=Budget(seconds=seconds), spent=spent)


def reading(state: ResearchState, tools: Tools) -> Generator[Event | ResearchState, None, ResearchState]:
    """Judges ten things one after the other and saves after each."""
    for _ in range(10):
        tools.writer.verdicts([("a claim", "a text")])
        yield Event(step="weigh", kind="believed", text="one more")
        state = state.model_copy(update={"round": state.round + 1})
        yield state
    return state


def drained(step: Callable[..., Any], start: ResearchState, given: Tools) -> tuple[list[Event], ResearchState]:
    events, running = [], step(start, given)
    while True:
        try:
            events.append(next(running))
        except StopIteration as stop:
            return events, stop.value


def test_a_step_that_is_cut_keeps_what_it_saved_and_says_so() -> None:
    hands = Hands(cost=20.0)
    events, after = drained(timed("weigh", reading, hands), state(SECONDS), tools(hands))
    begun = 4  # at 0, 20, 40 and 60 seconds; at 80 three quarters are over
    assert after.round == begun
    assert after.cut == ("weigh",)
    assert [e.kind for e in events] == ["believed"] * begun + ["cut"]
    assert after.spent == begun * 20.0


@pytest.mark.parametrize(
    ("name", "begun"), [("plan", 10), ("search", 4), ("weigh", 4), ("revise", 6), ("check", 6), ("finish", 10)]
)
def test_writing_may_take_what_reading_must_leave(name: str, begun: int) -> None:
    """Plan and finish are never cut: without them there is no report."""
    hands = Hands(cost=20.0)
    _, after = drained(timed(name, reading, hands), state(SECONDS), tools(hands))
    assert after.round == begun
    assert after.spent == begun * 20.0


def test_what_was_spent_before_counts() -> None:
    hands = Hands(cost=20.0)
    _, after = drained(timed("weigh", reading, hands), state(SECONDS, spent=50.0), tools(hands))
    assert after.round == 2
    assert after.spent == 90.0


def test_a_step_that_saves_nothing_is_as_if_it_had_not_been() -> None:
    def silent(state: ResearchState, tools: Tools) -> Generator[Event | ResearchState, None, ResearchState]:
        for _ in range(10):
            tools.search(["Who?"], 3)
        yield Event(step="search", kind="searched", text="")
        return state.model_copy(update={"round": 9})

    hands = Hands(cost=0.0)
    begun = state(SECONDS, spent=READING * (SECONDS + GRACE))
    events, after = drained(timed("search", silent, hands), begun, tools(hands))
    assert [e.kind for e in events] == ["cut"]
    assert after == begun.model_copy(update={"cut": ("search",)})


def test_without_a_budget_the_clock_decides_nothing() -> None:
    hands = Hands(cost=1e9)
    given = tools(hands)

    def looking(state: ResearchState, tools: Tools) -> Generator[Event | ResearchState, None, ResearchState]:
        assert tools is given
        return (yield from reading(state, tools))

    events, after = drained(timed("weigh", looking, hands), state(0.0), given)
    assert (len(events), after.round, after.cut) == (10, 10, ())


def test_many_canvases_are_denoised_by_batches_with_a_look_at_the_clock_between() -> None:
    hands = Hands(cost=1.0)
    writer = SlowWriter(hands)
    passages = [passage(f"The barge number {n} is blue.") for n in range(2 * BATCH + 3)]
    watching = watched(Tools(writer, Shelf()), Clock(hands.time + 2.5, hands)).writer
    assert watching.answers("Who?", "TEXT", passages, 2) == offered(passages)
    assert writer.sizes == [BATCH, BATCH, 3]
    with pytest.raises(BudgetSpent):
        watching.answers("Who?", "TEXT", passages, 2)
    assert writer.sizes == [BATCH, BATCH, 3], "nothing is begun after the end"


def offered(passages: Sequence[Passage]) -> list[Candidate]:
    return SlowWriter(Hands(0)).answers("Who?", "TEXT", passages, 2)


def test_every_other_way_to_the_model_and_to_the_sources_looks_at_the_clock() -> None:
    hands = Hands(cost=0.0)
    seen: list[Sequence[str]] = []

    def search(queries: Sequence[str], k: int) -> Found:
        seen.append(queries)
        return Found(hits=(), failures=())

    class Reads:
        def vectors(self, texts: Sequence[str]) -> None:
            seen.append(texts)

        tables = vectors

    reads = cast(Any, Reads())
    held = Tools(SlowWriter(hands), search, reader=reads, records=reads, judge=SlowWriter(hands))
    late = watched(held, Clock(hands.time, hands))
    assert late.reader is not None
    assert late.writer.name == "scripted"
    for call in (
        lambda: late.search(["a"], 1),
        lambda: late.writer.choose("Who?", "TEXT", []),
        lambda: late.writer.verdicts([("a", "b")]),
        lambda: late.writer.fill([(["a"], [])]),
        lambda: late.reader.vectors(["a"]),  # type: ignore[union-attr]
        lambda: late.records.tables([]),  # type: ignore[union-attr]
        lambda: late.judge.verdicts([("a", "b")]),  # type: ignore[union-attr]
    ):
        with pytest.raises(BudgetSpent):
            call()
    assert seen == []


BARGE = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.")


def loop_with(hands: Hands, monkeypatch: pytest.MonkeyPatch, seconds: float) -> ResearchState:
    """The whole loop, its own steps timed by `hands`."""

    def search(queries: Sequence[str], k: int) -> Found:
        hands.work()
        return Shelf(BARGE)(queries, k)

    steps: dict[str, Step] = {n: getattr(loop, n) for n in ("plan", "search", "weigh", "revise", "check", "finish")}
    monkeypatch.setattr(loop, "STEPS", {n: timed(n, step, hands) for n, step in steps.items()})
    writer = ScriptedWriter({"barge": r"Orta is (\w+)"})
    _, after = drained(loop.run, ResearchState(question="What is the fastest barge on Lake Orta?",
                                               budget=Budget(seconds=seconds)), Tools(writer, search, NUMBERS))  # fmt: skip
    return after


def test_a_budget_that_is_spent_after_the_first_search_still_gives_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Budgets degrade a run, they never abort it with nothing."""
    after = loop_with(Hands(cost=7.0), monkeypatch, seconds=9.0)
    assert after.finished == "budget"
    assert after.round == 1
    assert "**Marisa**" in report(after)


def test_a_budget_that_is_spent_before_anything_was_read_gives_a_report_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    after = loop_with(Hands(cost=50.0), monkeypatch, seconds=9.0)
    assert after.finished == "budget"
    assert "weigh" in after.cut
    assert "Not established" in report(after)


def test_a_budget_that_sufficed_is_not_said_to_have_ended_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    after = loop_with(Hands(cost=1.0), monkeypatch, seconds=1000.0)
    assert (after.finished, after.cut) == ("settled", ())


def test_the_next_version_forgets_that_the_last_one_was_cut() -> None:
    cut = ResearchState(question="Who?", cut=("weigh",), finished="budget", spent=9.0)
    assert (loop.amend(cut, []).cut, loop.amend(cut, []).spent) == ((), 0.0)


@pytest.mark.parametrize("name", ["search", "weigh", "check", "finish"])
@pytest.mark.parametrize("seconds", [0.0, SECONDS])
def test_a_step_that_a_person_stops_says_what_it_had_saved(name: str, seconds: float) -> None:
    """No report of a cut step goes into the log: whoever writes one takes what was saved, and the checkpoint stays before the step."""
    asked = iter([False] * 3 + [True] * 9)
    given = replace(tools(Hands(cost=0.1)), stop=lambda: next(asked))
    with pytest.raises(Stopped) as stopped:
        drained(timed(name, reading), state(seconds), given)
    assert stopped.value.known.round == 3
    assert stopped.value.known.cut == ()


def test_who_writes_prose_is_stopped_too() -> None:
    class Poet:
        def compose(self, forms: object) -> list[list[str]]:
            return [["never"]]

    clock = Clock(1e9, stop=lambda: True)
    prose = watched(replace(tools(Hands(1.0)), prose=Poet()), clock).prose
    assert prose is not None
    with pytest.raises(Stopped):
        prose.compose([])
