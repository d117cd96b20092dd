"""The promise of the product, over many drafts: what was not reopened is the same to the byte, and every word is accounted for."""

from __future__ import annotations

import string

from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.agent import report
from palimpsest.agent.draft import moved
from palimpsest.agent.loop import amend
from palimpsest.agent.state import Event, Filled, ResearchState, Tools
from palimpsest.retrieval.types import Passage

from .world import ScriptedWriter, Shelf, finish, passage, research

NAMES = st.text(alphabet=string.ascii_lowercase, min_size=4, max_size=8).map(str.title)
FIGURES = st.integers(2, 999)
DATES = st.sampled_from(["2025-01-01", "2023-06", "2020", None])


def told() -> ScriptedWriter:
    return ScriptedWriter({"How many": r"holds (\d+) crates", "Who": r"kept by (\w+)"})


def store(name: str, crates: int, keeper: str, date: str | None, title: str) -> Passage:
    text = f"The {name} store at Lake Orta holds {crates} crates of salt. The {name} store at Lake Orta is kept by {keeper}."
    return passage(text, f"{title} {name}", date)


def accounted_for(state: ResearchState) -> None:
    """Every copied word is its source's at the offsets given; every citation carries the number of the source it cites."""
    held = {p.id: p for p in state.evidence}
    for span in state.draft.spans():
        for support in span.support:
            source = held[support.passage]
            assert source.text[support.start - source.start : support.end - source.start] == support.quote
        if span.status in ("filled", "pinned") and span.kind in ("TEXT", "ENTITY", "NUMBER") and span.support:
            assert span.support[0].quote == span.text
        if span.kind == "CITE" and span.text:
            assert span.text == report.cite_text(state, held[span.support[0].passage].source)
    listed = state.draft.section("sources")
    numbers = [s.text.split(".")[0] for s in listed.spans[1:]] if listed else []
    assert numbers == [str(n) for n in range(1, len(state.references) + 1)]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(NAMES, FIGURES, NAMES, DATES), min_size=1, max_size=4, unique_by=lambda t: t[0]),
    st.data(),
)
def test_three_versions_with_pins_and_reopenings(
    facts: list[tuple[str, int, str, str | None]], data: st.DataObject
) -> None:
    """Nothing but what a revision names, or a person opened, changes; what a person pinned never does."""
    shelf = Shelf(*(store(name, crates, keeper, date, "Book") for name, crates, keeper, date in facts))
    first = facts[0][0]
    question = f"How many crates of salt does the {first} store hold? Who keeps the {first} store?"
    _, state = research(question, told(), shelf, rounds=2, claims=4)
    accounted_for(state)
    pinned: dict[str, str] = {}
    for version in (2, 3):
        places = [s for s in state.draft.spans() if s.kind in ("ENTITY", "NUMBER") and s.hypothesis]
        places = [s for s in places if s.hypothesis and s.hypothesis.startswith("c") and s.id not in pinned]
        opened = data.draw(st.lists(st.sampled_from(places), max_size=2, unique_by=lambda s: s.id)) if places else []
        fixed = data.draw(st.lists(st.sampled_from(places), max_size=2, unique_by=lambda s: s.id)) if places else []
        fixed = [s for s in fixed if s not in opened]
        pinned |= {s.id: s.text for s in fixed}
        news = [
            store(
                name,
                data.draw(FIGURES),
                data.draw(st.sampled_from([keeper, "Ada"])),
                data.draw(DATES),
                f"News {version}",
            )
            for name, _, keeper, _ in facts
            if data.draw(st.booleans())
        ]
        before = state
        _, state = finish(
            amend(before, news, reopen=[s.id for s in opened], pin=[s.id for s in fixed]), Tools(told(), Shelf())
        )
        free = {s for r in state.revisions if r.version == version for s in r.reopened} | {s.id for s in opened}
        assert moved(before.draft, state.draft, free) == []
        assert {s: state.draft.span(s).text for s in pinned} == pinned
        accounted_for(state)
        if not news and not opened:
            assert state.draft.text == before.draft.text


BARGE = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01")
NEWER = passage("The fastest barge on Lake Orta is Marisa, which reaches 17 knots.", "Barges of 2026", "2026-03")
QUESTION = "What is the fastest barge on Lake Orta, and how many knots does it reach?"
PATTERNS = {"fastest barge": r"Orta is (\w+)", "How many knots": r"reaches (\d+) knots"}


def after(news: Passage, first: Passage = BARGE) -> tuple[list[Event], ResearchState, ResearchState]:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(first))
    events, state = finish(amend(before, [news]), Tools(ScriptedWriter(PATTERNS), Shelf()))
    return events, before, state


def test_the_same_evidence_twice_changes_nothing_the_second_time() -> None:
    _, _, once = after(NEWER)
    events, twice = finish(amend(once, [NEWER]), Tools(ScriptedWriter(PATTERNS), Shelf()))
    assert twice.draft.text == once.draft.text
    assert [e.kind for e in events] == ["finished"]


def test_only_the_contradicted_places_are_reopened() -> None:
    _, before, state = after(NEWER)
    named = [s for r in state.revisions for s in r.reopened]
    texts = [before.draft.span(s).text for s in named if s.startswith("c1.") and not s.endswith((".cite", ".conf"))]
    assert texts == ["12"]
    assert {s.split(".")[0] for s in named} == {"c1", "q2"}


def test_undated_evidence_from_a_person_wins_and_says_why() -> None:
    news = passage(NEWER.text, "A note")
    _, _, state = after(news)
    assert "**17**" in state.draft.text
    assert "A note (undated)" in state.draft.text
    assert "Kept: the evidence brought last." in state.draft.text


def test_dates_are_compared_as_far_as_both_are_precise() -> None:
    """2024 and 2024-05-01 may be the same day: neither is newer, so what was written stays."""
    _, _, state = after(passage(NEWER.text, "Barges", "2024"))
    assert "**12**" in state.draft.text
    assert "the dates do not decide" in state.draft.text


def test_a_new_record_holder_replaces_the_whole_of_the_answer() -> None:
    """The name and the figure fall together, and the second question is asked again of the new sentence."""
    rival = passage("The fastest barge on Lake Orta is Tolomeo, which reaches 19 knots.", "Regatta", "2026-01-01")
    _, before, state = after(rival)
    assert "**Tolomeo** [2]" in state.draft.text
    assert "**19** [2]" in state.draft.text
    assert moved(before.draft, state.draft, {s for r in state.revisions for s in r.reopened}) == []
    assert {h.status for h in state.graph.answers("q1") if h.text == "Marisa"} == {"refuted"}


def test_another_barge_is_no_rival_of_a_plain_sentence() -> None:
    """Two barges may each have a speed; only a place that one thing alone can hold makes other names a contradiction."""
    held = passage("The barge Marisa on Lake Orta reaches 12 knots in calm water.", "A", "2024")
    news = passage("The barge Tolomeo on Lake Orta reaches 19 knots in calm water.", "B", "2026")
    reads = {"How many knots": r"reaches (\d+) knots"}
    _, before = research("How many knots does the barge Marisa on Lake Orta reach?", ScriptedWriter(reads), Shelf(held))
    _, state = finish(amend(before, [news]), Tools(ScriptedWriter(reads), Shelf()))
    assert "**12**" in before.draft.text
    assert state.conflicts == ()
    assert state.draft.text == before.draft.text


def test_a_sentence_the_text_supports_well_is_not_disputed() -> None:
    """Other words may say the same: a verdict of 0.8 or more for what stands leaves it alone."""

    class Agrees(ScriptedWriter):
        def _verdict(self, claim: str, text: str):  # type: ignore[no-untyped-def]
            return super()._verdict(text, text)

    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    _, state = finish(amend(before, [NEWER]), Tools(Agrees(PATTERNS), Shelf()))
    assert state.draft.text == before.draft.text
    assert state.conflicts == ()


def test_an_unsure_reading_disputes_nothing() -> None:
    class Unsure(ScriptedWriter):
        def _place(self, passages, kind: str, turn: int) -> Filled:  # type: ignore[no-untyped-def]
            return super()._place(passages, kind, turn).model_copy(update={"probability": 0.29})

    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    _, state = finish(amend(before, [NEWER]), Tools(Unsure(PATTERNS), Shelf()))
    assert state.draft.text == before.draft.text


def test_passages_laid_together_give_belief_to_the_one_chosen() -> None:
    """`choose` sees the rivals side by side; its choice is worth 1.2 times its probability in log-odds."""

    class Chooser(ScriptedWriter):
        def __init__(self, probability: float) -> None:
            super().__init__(PATTERNS)
            self.probability = probability

        def choose(self, question, kind, passages) -> Filled:  # type: ignore[no-untyped-def]
            assert len(passages) > 1
            p = next(p for p in passages if "Tolomeo" in p.text)
            at, sure = p.text.index("Tolomeo"), self.probability
            return Filled(text="Tolomeo", passage=p.id, start=at, end=at + 7, probability=sure, none=0.0, steps=1)

    rival = passage("The fastest barge on Lake Orta is Tolomeo, which reaches 19 knots.", "Regatta", "2026-01-01")
    beliefs = []
    for sure in (0.25, 0.75):
        _, state = research("What is the fastest barge on Lake Orta?", Chooser(sure), Shelf(BARGE, rival), rounds=1)
        beliefs.append(next(h.belief for h in state.graph.answers("q1") if h.text == "Tolomeo"))
    assert abs(beliefs[1] - beliefs[0] - 0.6) < 1e-9


def test_a_spent_budget_of_seconds_ends_with_a_report() -> None:
    """Budgets degrade a run, they never abort it with nothing."""
    state = ResearchState(question=QUESTION).model_copy(update={"spent": 9.0})
    state = state.model_copy(update={"budget": state.budget.model_copy(update={"seconds": 1.0})})
    events, done = finish(state, Tools(ScriptedWriter(PATTERNS), Shelf(BARGE)))
    assert done.finished == "budget"
    assert events[-1].data["stopped"] == "budget"
    assert "**Marisa**" in done.draft.text
    assert done.round == 1
