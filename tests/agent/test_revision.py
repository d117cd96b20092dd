"""The promise of the product, over many drafts: what was not reopened is the same to the byte, and every word is accounted for."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.agent.draft import moved
from palimpsest.agent.drafting import holds
from palimpsest.agent.loop import amend
from palimpsest.agent.state import Event, Filled, Posteriors, ResearchState, Verdict
from palimpsest.retrieval.types import Passage

from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report, research, tools

NAMES = st.text(alphabet=string.ascii_lowercase, min_size=4, max_size=8).map(str.title)
FIGURES = st.integers(2, 999)
DATES = st.sampled_from(["2025-01-01", "2023-06", "2020", None])


def scripted() -> ScriptedWriter:
    return ScriptedWriter({"How many": r"holds (\d+) crates", "Who": r"kept by (\w+)"})


def store(name: str, crates: int, keeper: str, date: str | None, title: str) -> Passage:
    text = f"The {name} store at Lake Orta holds {crates} crates of salt. The {name} store at Lake Orta is kept by {keeper}."
    return passage(text, f"{title} {name}", date)


def reopened(state: ResearchState) -> set[str]:
    """The spans that the newest version names as opened."""
    return {s for r in state.revisions if r.version == state.version for s in r.reopened}


class Silent(ScriptedWriter):
    """Fills no place."""

    def _fill(self, pieces, passages) -> list[Filled]:  # type: ignore[no-untyped-def]
        return super()._fill(pieces, [])


def accounted_for(state: ResearchState) -> None:
    """Every copied word is its source's at the offsets given; every citation carries the number of the source it cites."""
    held = {p.id: p for p in state.evidence}
    for span in state.draft.spans():
        for support in span.support:
            source = held[support.passage]
            assert source.text[support.start - source.start : support.end - source.start] == support.quote
        if span.status in ("filled", "pinned") and span.kind in ("TEXT", "ENTITY", "NUMBER") and span.support:
            assert span.support[0].quote == span.text
        assert all(held[s.passage].source.id in state.references for s in span.support)
    for block in state.draft.blocks:
        if block.kind == "quotation":
            whole = block.span("citation").support[0]  # type: ignore[union-attr]
            assert whole.quote == block.text
    for question in state.questions:
        answer = state.draft.span(f"{question.id}.answer")
        if answer.status == "filled":
            assert holds(state.draft.block_of(answer.depends_on[0]), answer.support[0])
    listed = [b.about for b in state.draft.section("sources")[1:]]
    assert listed == list(state.references)


@settings(max_examples=30)
@given(
    st.lists(st.tuples(NAMES, FIGURES, NAMES, DATES), min_size=1, max_size=4, unique_by=lambda t: t[0]),
    st.data(),
)
def test_three_versions_with_pins_and_reopenings(
    facts: list[tuple[str, int, str, str | None]], data: st.DataObject
) -> None:
    """Nothing but what a revision names changes; what a person pinned never does, and what they opened was filled or shows it."""
    shelf = Shelf(*(store(name, crates, keeper, date, "Book") for name, crates, keeper, date in facts))
    first = facts[0][0]
    question = f"How many crates of salt does the {first} store hold? Who keeps the {first} store?"
    _, state = research(question, scripted(), shelf, rounds=2, claims=4)
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
        writer = scripted() if data.draw(st.booleans()) else Silent({})
        _, state = finish(
            amend(before, news, reopen=[s.id for s in opened], pin=[s.id for s in fixed]), tools(writer, Shelf())
        )
        assert moved(before.draft, state.draft, reopened(state)) == []
        stands = {s.id: s.status for s in state.draft.spans()}
        assert all(stands.get(s.id, "filled") in ("filled", "unestablished") for s in opened)
        assert {s: state.draft.span(s).text for s in pinned} == pinned
        accounted_for(state)
        if not news and not opened and not before.draft.section("open"):  # what is open may be read anew
            assert report(state) == report(before)


WINNERS = st.sampled_from(["Marisa", "Tolomeo", "Ada"])
CHAIN = {"Which barge": r"race was (\w+)", "built": r"built by (\w+)"}


@settings(max_examples=30)
@given(st.lists(st.tuples(WINNERS, DATES, st.booleans()), min_size=3, max_size=3), st.data())
def test_three_versions_of_a_question_that_rests_on_another(
    facts: list[tuple[str, str | None, bool]], data: st.DataObject
) -> None:
    """Answers are found late, fall with the one they rest on, and are found again; each time a revision names what changed."""

    def news(number: int) -> list[Passage]:
        winner, date, built = facts[number]
        race = passage(f"The only barge that won the great race was {winner}.", f"Race {number}", date)
        deed = passage(f"The {winner} barge was built by Canale{number} on the lake.", f"Deeds {number}", date)
        return [p for p, there in ((race, number or data.draw(st.booleans())), (deed, built)) if there]

    _, state = research("Which barge won the race, and who built it?", ScriptedWriter(CHAIN), Shelf(KITCHEN, *news(0)))
    for number in (1, 2):
        before = state
        opened = [f"q{n}.answer" for n in (1, 2) if data.draw(st.booleans())]
        _, state = finish(amend(before, news(number), reopen=opened), tools(ScriptedWriter(CHAIN), Shelf()))
        assert moved(before.draft, state.draft, reopened(state)) == []
        accounted_for(state)
        unanswered = [q.id for q in state.questions if state.draft.span(f"{q.id}.answer").status == "unestablished"]
        listed = state.draft.section("open")
        assert [b.id.split(".")[1] for b in listed[1:]] == unanswered
        assert ("## Not established" in report(state)) == bool(unanswered)


KITCHEN = passage("Bread rises best in a warm room.", "A kitchen", "2026-06-01")
BARGE = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01")
NEWER = passage("The fastest barge on Lake Orta is Marisa, which reaches 17 knots.", "Barges of 2026", "2026-03")
QUESTION = "What is the fastest barge on Lake Orta, and how many knots does it reach?"
PATTERNS = {"fastest barge": r"Orta is (\w+)", "How many knots": r"reaches (\d+) knots"}


def after(news: Passage, first: Passage = BARGE) -> tuple[list[Event], ResearchState, ResearchState]:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(first))
    events, state = finish(amend(before, [news]), tools(ScriptedWriter(PATTERNS), Shelf()))
    return events, before, state


def test_the_same_evidence_twice_changes_nothing_the_second_time() -> None:
    _, _, once = after(NEWER)
    events, twice = finish(amend(once, [NEWER]), tools(ScriptedWriter(PATTERNS), Shelf()))
    assert report(twice) == report(once)
    assert [e.kind for e in events] == ["finished"]


def test_undated_evidence_from_a_person_wins_and_says_why() -> None:
    news = passage(NEWER.text, "A note")
    _, _, state = after(news)
    assert "**17**" in report(state)
    assert "A note (undated)" in report(state)
    assert "Kept: the evidence brought last." in report(state)


def test_dates_are_compared_as_far_as_both_are_precise() -> None:
    """2024 and 2024-05-01 may be the same day: neither is newer, so what was written stays."""
    _, _, state = after(passage(NEWER.text, "Barges", "2024"))
    assert "**12**" in report(state)
    assert "the dates do not decide" in report(state)


def test_another_barge_is_no_rival_of_a_plain_sentence() -> None:
    """Two barges may each have a speed; only a place that one thing alone can hold makes other names a contradiction."""
    held = passage("The barge Marisa on Lake Orta reaches 12 knots in calm water.", "A", "2024")
    news = passage("The barge Tolomeo on Lake Orta reaches 19 knots in calm water.", "B", "2026")
    reads = {"How many knots": r"reaches (\d+) knots"}
    _, before = research("How many knots does the barge Marisa on Lake Orta reach?", ScriptedWriter(reads), Shelf(held))
    _, state = finish(amend(before, [news]), tools(ScriptedWriter(reads), Shelf()))
    assert "**12**" in report(before)
    assert state.conflicts == ()
    assert report(state) == report(before)


def test_a_sentence_the_text_supports_well_is_not_disputed() -> None:
    """Other words may say the same: a verdict of 0.8 or more for what stands leaves it alone."""

    class Agrees(ScriptedWriter):
        def _verdict(self, claim: str, text: str):  # type: ignore[no-untyped-def]
            return super()._verdict(text, text)

    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    _, state = finish(amend(before, [NEWER]), tools(Agrees(PATTERNS), Shelf()))
    assert report(state) == report(before)
    assert state.conflicts == ()


def test_an_unsure_reading_disputes_nothing() -> None:
    class Unsure(ScriptedWriter):
        def _place(self, passages, kind: str, turn: int) -> Filled:  # type: ignore[no-untyped-def]
            return super()._place(passages, kind, turn).model_copy(update={"probability": 0.29})

    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    _, state = finish(amend(before, [NEWER]), tools(Unsure(PATTERNS), Shelf()))
    assert report(state) == report(before)


def test_passages_laid_together_give_belief_to_the_one_chosen() -> None:
    """`choose` sees the rivals side by side; its choice moves belief by its probability."""

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
    assert abs(beliefs[1] - beliefs[0] - NUMBERS.together * 0.5) < 1e-9


def test_rivals_of_a_blank_are_compared_on_one_canvas_and_belief_stays_as_it_was() -> None:
    class Comparer(ScriptedWriter):
        def posteriors(self, question, kind, passages, rivals) -> Posteriors:  # type: ignore[no-untyped-def]
            assert len(passages) == len(set(rivals)) == 2
            return Posteriors(rivals=(0.5, 0.3), nothing=0.15, other=0.05)

    rival = passage("The fastest barge on Lake Orta is Tolomeo, which reaches 19 knots.", "Regatta", "2026-01-01")
    asked = "What is the fastest barge on Lake Orta?"
    _, plain = research(asked, ScriptedWriter(PATTERNS), Shelf(BARGE, rival), rounds=1)
    _, state = research(asked, Comparer(PATTERNS), Shelf(BARGE, rival), rounds=1)
    found = state.graph.rivalry("q1")
    assert found is not None
    assert sorted(found.posteriors.values()) == [0.3, 0.5]
    assert {state.graph.get(name).text for name in found.posteriors} == {"Marisa", "Tolomeo"}
    assert found.nothing == 0.15
    assert plain.graph.rivalry("q1") is None
    assert [h.belief for h in state.graph.hypotheses] == [h.belief for h in plain.graph.hypotheses]
    assert report(state) == report(plain)


def revised(before: ResearchState, *news: Passage, writer: ScriptedWriter | None = None) -> ResearchState:
    return finish(amend(before, news), tools(writer or ScriptedWriter(PATTERNS), Shelf()))[1]


def test_an_answer_that_falls_with_the_one_it_rests_on_is_among_the_reopened() -> None:
    """Its quote goes with it: it says who built the barge that did not win."""
    patterns = {"Which barge": r"race was (\w+)", "built": r"built by (Pietro Canale)"}
    race = passage("The only barge that won the great race was Marisa.", "Race", "2024-01-01")
    deed = passage("The Marisa barge was built by Pietro Canale in 1901.", "Deeds", "2024-01-01")
    again = passage("The only barge that won the great race was Tolomeo.", "Race again", "2026-01-01")
    _, before = research("Which barge won the race, and who built it?", ScriptedWriter(patterns), Shelf(race, deed))
    after = revised(before, again, writer=ScriptedWriter(patterns))
    assert moved(before.draft, after.draft, reopened(after)) == []
    assert "> The Marisa barge was built by Pietro Canale" in report(before)
    assert "The Marisa barge was built" not in report(after)
    assert "“Pietro Canale” → Not established: what it rests on changed." in report(after)


def test_an_answer_found_later_is_among_the_reopened() -> None:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(KITCHEN))
    after = revised(before, BARGE)
    assert moved(before.draft, after.draft, reopened(after)) == []


def test_an_answer_found_later_is_no_longer_listed_as_not_established() -> None:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(KITCHEN))
    after = revised(before, BARGE)
    assert "**Marisa**" in report(after)
    assert "What is the fastest barge on Lake Orta? Read" not in report(after)


def test_a_conflict_that_was_rolled_back_says_that_the_old_sentence_stands() -> None:
    """The report said "Kept: the newer source" of a sentence that stands nowhere in it."""
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    scripted_writer = ScriptedWriter(PATTERNS)
    scripted_writer.enqueue(*(Verdict(supports=s, refutes=0.9 - s, silent=0.1) for s in (0.2, 0.2, 0.2, 0.5, 0.3)))
    after = revised(before, NEWER, writer=scripted_writer)
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 12 knots." in report(after)
    assert [c.kept.quote for c in after.conflicts] == [BARGE.text]
    assert "Kept: what stood; its source supports the other words less." in report(after)


@pytest.mark.parametrize("figure", ["12,000", "3,12", "12 million"])
def test_a_figure_inside_a_larger_figure_does_not_stand(figure: str) -> None:
    """Twelve thousand knots were counted as agreement with twelve."""
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    news = passage(f"The fastest barge on Lake Orta is Marisa, which reaches {figure} knots.", "News", "2026-03")
    assert revised(before, news).conflicts


def test_a_person_may_open_what_they_pinned() -> None:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12 knots" and s.hypothesis == "c1")
    _, pinned = finish(amend(before, [], pin=[place]), tools(ScriptedWriter(PATTERNS), Shelf()))
    _, after = finish(amend(pinned, [], reopen=[place]), tools(ScriptedWriter(PATTERNS), Shelf()))
    assert (pinned.draft.span(place).status, after.draft.span(place).status) == ("pinned", "filled")


def believed_elsewhere(before: ResearchState) -> ResearchState:
    """What a round makes of another source in which an answer is read that is believed far more."""
    far = passage("A gauge on the Marisa said that she reaches 21 knots with the wind.", "A log", "2024-05-02")
    sure = ScriptedWriter({"How many knots": r"reaches (\d+) knots"}, sure={"21": 0.999})
    grown = before.model_copy(update={"evidence": (*before.evidence, far), "finished": "", "round": 1})
    return finish(grown, tools(sure, Shelf()))[1]


def test_an_answer_that_is_opened_and_stays_takes_nothing_with_it() -> None:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    _, after = finish(amend(before, [], reopen=["q1.answer"]), tools(ScriptedWriter(PATTERNS), Shelf()))
    assert [(r.span, r.old, r.new, r.reason) for r in after.revisions] == [("q1.answer", "Marisa", "Marisa", "person")]
    assert "**12** [1]" in report(after)


def test_pinned_words_of_a_quote_stay_when_the_answer_changes() -> None:
    question = "How many knots does the Marisa reach?"
    _, before = research(question, ScriptedWriter(PATTERNS), Shelf(BARGE))
    pinned = amend(before, [], pin=["c1.0"]).model_copy(update={"version": 1})
    after = believed_elsewhere(pinned)
    assert "**21** [2]" in report(after)
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 12 knots. [1]" in report(after)


def test_a_quote_that_another_answer_rests_on_stays_under_it() -> None:
    """Both answers were read in one sentence; when one of them is believed elsewhere, the sentence stays with the other."""
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    after = believed_elsewhere(before)
    assert "**21** [2]" in report(after)
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 12 knots. [1]" in report(after)
    assert "> A gauge on the Marisa said that she reaches 21 knots with the wind. [2]" in report(after)


def test_fixed_words_cannot_be_opened() -> None:
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    assert amend(before, [], reopen=["question.title"]).draft.span("question.title").status == "fixed"
