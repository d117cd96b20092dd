from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palimpsest.agent import loop
from palimpsest.agent.answer_kinds import suiting
from palimpsest.agent.draft import moved
from palimpsest.agent.drafting import holds
from palimpsest.agent.loop import amend, begin, route
from palimpsest.agent.questions import subquestions
from palimpsest.agent.state import Budget, Find, Query, ResearchState, SubQuestion, Verdict
from palimpsest.agent.steps import unread
from palimpsest.retrieval.types import Failure
from palimpsest.workflows.calibration import answer_kinds
from palimpsest.workflows.corpus import open_embedder

from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report, research, tools

BARGE = passage("The fastest barge on Lake Orta is Marisa, which reaches 12 knots.", "Barges of 2024", "2024-05-01")
NEWER = passage("The fastest barge on Lake Orta is Marisa, which reaches 17 knots.", "Barges of 2026", "2026-03")
OLDER = passage("The fastest barge on Lake Orta is Marisa, which reaches 5 knots.", "Barges of 1990", "1990")
KITCHEN = passage("Bread rises best in a warm room.", "A kitchen", "2026-06-01")
QUESTION = "What is the fastest barge on Lake Orta, and how many knots does it reach?"
PATTERNS = {"fastest barge": r"Orta is (\w+)", "How many knots": r"reaches (\d+) knots"}


def writer() -> ScriptedWriter:
    return ScriptedWriter(PATTERNS)


def sound(state: ResearchState) -> None:
    """What holds of every state: copied words are their source's, citations have a number, answers are quoted."""
    texts = {p.id: p for p in state.evidence}
    for span in state.draft.spans():
        for support in span.support:
            held = texts[support.passage]
            assert held.text[support.start - held.start : support.end - held.start] == support.quote
        if span.status == "filled" and span.kind in ("TEXT", "ENTITY", "NUMBER"):
            assert span.support[0].quote == span.text
    for question in state.questions:
        answer = state.draft.span(f"{question.id}.answer")
        if answer.status == "filled":
            quoted = state.draft.block_of(answer.depends_on[0])
            assert holds(quoted, answer.support[0])


def test_a_question_is_answered_cited_and_quoted() -> None:
    events, state = research(QUESTION, writer(), Shelf(BARGE, KITCHEN))
    assert "**Marisa** [1]" in report(state)
    assert "**12** [1]" in report(state)
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 12 knots. [1]" in report(state)
    assert "1. Barges of 2024. 2024-05-01." in report(state)
    assert events[0].kind == "planned"
    assert events[-1].kind == "finished"
    assert events[-1].data["answered"] == 2
    sound(state)


@pytest.mark.parametrize(("asked_in", "revised"), [(1, ["q1.standing"]), (2, [])])
def test_what_a_follow_up_says_first_has_not_changed(asked_in: int, revised: list[str]) -> None:
    """That a new answer is doubted was told as a revision of the standing with which it had just been written."""
    _, written = research("What is the fastest barge on Lake Orta?", writer(), Shelf(BARGE))
    place = written.draft.span("q1.answer").model_copy(update={"confidence": 0.3})
    (question,) = written.questions
    later = {"version": 2, "questions": (question.model_copy(update={"asked_in": asked_in}),)}
    state = written.model_copy(update={**later, "draft": written.draft.replace([place])})
    steps = loop._restate(state, NUMBERS)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            after = stop.value
            break
    assert after.draft.span("q1.standing").text == "one source; more likely wrong than right"
    assert [r.span for r in after.revisions] == revised


def test_the_second_hop_asks_with_the_entity_that_the_first_found() -> None:
    deed = passage("The Marisa barge was built by Pietro Canale in 1901.", "Deeds")
    patterns = {"Which barge": r"won was (\w+)", "built": r"built by (Pietro Canale)"}
    race = passage("The barge that won was Marisa.", "Race")
    shelf = Shelf(race, deed)
    _, state = research("Which barge won the race, and who built it?", ScriptedWriter(patterns), shelf)
    assert "Who built Marisa?" in shelf.history
    assert "**Pietro Canale**" in report(state)


@pytest.mark.parametrize(("who", "goes_on"), [("the crew", True), ("Ada Lorne", False)])
def test_a_group_without_a_name_sends_the_search_over_a_bridge(who: str, goes_on: bool) -> None:
    """ "Who manages it?" was answered by the readers of a newsletter, and the manager stood in the ninth passage."""
    held = passage(f"The mill of Orta is managed by {who}, says Pietro.", "Mills")
    writer = ScriptedWriter({"manages": r"managed by (the crew|Ada Lorne)"})
    events, state = research("Who manages the mill of Orta?", writer, Shelf(held))
    assert state.draft.span("q1.answer").text == who
    assert any(e.kind == "searched" and e.data["reason"] == "bridge" for e in events) is goes_on


def test_an_unsure_answer_sends_the_search_over_a_bridge() -> None:
    """Names the passages hold and the question does not become queries of the next round."""
    near = passage("The winner rowed for the club of Omegna.", "Race")
    shelf = Shelf(near, passage("Omegna lies on Lake Orta.", "Towns"))
    scripted = ScriptedWriter({"winner": r"club of (\w+)"}, sure={"Omegna": 0.06})
    events, _ = research("Where does the winner live?", scripted, shelf)
    assert any(q.startswith("Omegna:") for q in shelf.history)
    assert any(e.kind == "searched" and e.data["reason"] == "bridge" for e in events)


def test_evidence_that_says_the_same_is_counted() -> None:
    """A second source that a person brought left the answer standing on one."""
    _, before = research(QUESTION, writer(), Shelf(BARGE, KITCHEN))
    same = passage(
        "On Lake Orta is Marisa, the fastest barge of all, which reaches 12 knots by sail.", "Log of 2025", "2025-02"
    )
    _, after = finish(amend(before, [same]), tools(writer(), Shelf()))
    assert "**Marisa** [1] (two independent sources)" in report(after)
    assert "**12** [1] (two independent sources)" in report(after)
    assert "“one source” → “two independent sources”: new evidence, read in Log of 2025 (2025-02) [2]." in report(after)
    reopened = {s for r in after.revisions for s in r.reopened}
    assert moved(before.draft, after.draft, reopened) == []
    copied = passage(BARGE.text, "A copy", "2024-06-01")
    _, copy = finish(amend(before, [copied]), tools(writer(), Shelf()))
    assert "**Marisa** [1] (one source)" in report(copy)
    other = passage("The fastest boat of Como is Bella, which reaches 12 knots.", "Como", "2025-02")
    _, third = finish(amend(before, [other]), tools(ScriptedWriter({"fastest barge": r"Como is (\w+)"}), Shelf()))
    assert third.graph.answers("q1") == before.graph.answers("q1")


def test_newer_evidence_reopens_only_what_it_contradicts() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE, KITCHEN))
    events, after = finish(amend(before, [NEWER]), tools(writer(), Shelf()))
    reopened = {s for r in after.revisions for s in r.reopened}
    assert moved(before.draft, after.draft, reopened) == []
    assert before.draft.span("q1.answer").text == after.draft.span("q1.answer").text
    assert "> The fastest barge on Lake Orta is Marisa, which reaches 17 knots. [2]" in report(after)
    assert "**Marisa** [2]" in report(after)
    assert "**17** [2]" in report(after)
    assert "“12” → “17”: contradicted by Barges of 2026 (2026-03) [2]" in report(after)
    assert "“Marisa” stands: what it rests on changed, read in Barges of 2026 (2026-03) [2]" in report(after)
    assert "against Barges of 2024 (2024-05-01) [1]" in report(after)
    assert {"reopened", "revised", "conflict"} <= {e.kind for e in events}
    sound(after)


def test_older_evidence_is_shown_and_changes_nothing() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    _, after = finish(amend(before, [OLDER]), tools(writer(), Shelf()))
    assert moved(before.draft, after.draft, ["q2.standing", "q1.standing"]) == []
    assert {r.span for r in after.revisions} <= {"q1.standing", "q2.standing"}
    assert "(one source; an older source says otherwise)" in report(after)
    assert "against Barges of 1990 (1990) [2]" in report(after)
    assert "Kept: the newer source." in report(after)


def test_unrelated_evidence_leaves_every_byte() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    _, after = finish(amend(before, [KITCHEN]), tools(writer(), Shelf()))
    assert report(after) == report(before)


def test_a_revision_that_the_evidence_supports_less_is_rolled_back() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    scripted = writer()
    scripted.enqueue(  # disputed? the two answers, then the old claim, then the new one
        *[Verdict(supports=0.2, refutes=0.7, silent=0.1)] * 3,
        Verdict(supports=0.5, refutes=0.4, silent=0.1),
        Verdict(supports=0.3, refutes=0.6, silent=0.1),
    )
    events, after = finish(amend(before, [NEWER]), tools(scripted, Shelf()))
    assert "rolled back" in {e.kind for e in events}
    assert moved(before.draft, after.draft, ["q1.standing", "q2.standing"]) == []
    assert "reaches 12 knots" in report(after)


def test_a_pinned_span_is_never_changed() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12 knots" and s.hypothesis == "c1")
    _, after = finish(amend(before, [NEWER], pin=[place, "q2.answer"]), tools(writer(), Shelf()))
    assert "reaches 12 knots" in report(after)
    assert "“The fastest barge on Lake Orta is Marisa, which reaches 17 knots.”" in report(after)
    assert "Kept: words that a person pinned." in report(after)


def test_a_span_that_a_person_reopens_is_filled_again_from_what_is_held() -> None:
    _, before = research(QUESTION, writer(), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12 knots" and s.hypothesis == "c1")
    _, after = finish(amend(before, [], reopen=[place]), tools(writer(), Shelf()))
    assert after.draft.span(place).text == "12 knots"
    assert after.revisions[-1].reason == "person"
    assert "- “12 knots” stands: opened by a person, read in Barges of 2024 (2024-05-01) [1]" in report(after)


def test_a_written_answer_does_not_waver() -> None:
    """Another answer that is believed a little more than the written one does not replace it: reports must not flip."""

    def answer_after(sure: float) -> str:
        far = passage("Orta is Tolomeo on the far shore of the fastest barge Lake.", "Far")
        scripted = ScriptedWriter({"fastest barge": r"Orta is (\w+)"}, sure={"Marisa": 0.6, "Tolomeo": sure})
        steps = finish(
            ResearchState(question="What is the fastest barge on Lake Orta?"), tools(scripted, Shelf(BARGE))
        )[1]
        grown = steps.model_copy(update={"evidence": (*steps.evidence, far), "finished": "", "round": 1})
        return finish(grown, tools(scripted, Shelf()))[1].draft.span("q1.answer").text

    assert answer_after(0.7) == "Marisa"
    assert answer_after(0.99) == "Tolomeo"


def test_what_nothing_fills_is_not_established() -> None:
    events, state = research("Who dug the canal?", writer(), Shelf(KITCHEN))
    assert "**Not established**" in report(state)
    assert "## Not established" in report(state)
    assert "unestablished" in {e.kind for e in events}


def test_a_failed_source_is_an_event_once() -> None:
    broken = Failure(name="broken.pdf", message="has no text layer")
    events, state = research(QUESTION, writer(), Shelf(BARGE, failures=(broken,)))
    assert [e.text for e in events if e.kind == "failed"] == ["broken.pdf: has no text layer"]
    assert state.failures == (broken,)


def test_ten_copies_move_belief_like_one() -> None:
    def belief(copies: int) -> float:
        twins = [passage(f"{BARGE.text} Copy {n}.", f"copy {n}", "2024") for n in range(copies)]
        _, state = research("What is the fastest barge on Lake Orta?", writer(), Shelf(BARGE, *twins))
        return state.graph.answers("q1")[0].belief

    assert belief(9) == belief(1)


def test_the_way_through_the_steps() -> None:
    fresh = ResearchState(question="x", budget=Budget(rounds=2))
    asked = fresh.model_copy(update={"round": 1, "queries": (Query(text="q", question="q1", reason="question"),)})
    assert begin(fresh) == "plan"
    assert route(fresh) == "finish"
    assert route(asked) == "search"
    assert route(asked.model_copy(update={"round": 2})) == "finish"
    assert route(asked.model_copy(update={"version": 2})) == "finish"
    assert route(asked.model_copy(update={"budget": Budget(rounds=9, seconds=1.0), "spent": 2.0})) == "finish"


WORDS = st.text(alphabet=string.ascii_lowercase, min_size=4, max_size=8)
FIGURES = st.integers(2, 9999)


@settings(max_examples=30)
@given(st.lists(st.tuples(WORDS, FIGURES, FIGURES), min_size=1, max_size=5, unique_by=lambda t: t[0]), st.data())
def test_locality_over_many_drafts(facts: list[tuple[str, int, int]], data: st.DataObject) -> None:
    """The promise: text outside the reopened spans is byte-identical, whatever was written and whatever comes."""
    scripted = ScriptedWriter({"How many": r"holds (\d+) crates"})
    held = [
        passage(f"The {name} store holds {n} crates of Lake Orta salt.", f"store {name}", "2024-01-01")
        for name, n, _ in facts
    ]
    question = f"How many crates of salt does the {facts[0][0]} store hold?"
    _, before = research(question, scripted, Shelf(*held), rounds=2, claims=5)
    dates = st.sampled_from(["2025-01-01", "2020", None])
    news = [
        passage(
            f"The {name} store holds {m} crates of Lake Orta salt.",
            f"news {name}",
            data.draw(dates),
        )
        for name, _, m in facts
        if data.draw(st.booleans())
    ]
    _, after = finish(amend(before, news), tools(scripted, Shelf()))
    reopened = [s for r in after.revisions if r.version == 2 for s in r.reopened]
    assert moved(before.draft, after.draft, reopened) == []
    assert len(report(after)) >= len(report(before)) - 12 * len(reopened)
    sound(after)


def test_an_answer_read_where_nothing_asked_about_is_named_is_not_believed() -> None:
    """Of three texts on other bridges, "Who built the Golden Gate Bridge?" was once answered with the builder of the Humber's."""
    humber = passage("The Humber Bridge was designed and built by Fox in eight years.", "Humber")
    scripted = ScriptedWriter({"built": r"built by (\w+)"})
    _, other = research("Who built the Golden Gate Bridge?", scripted, Shelf(humber))
    _, asked = research("Who built the Humber Bridge?", scripted, Shelf(humber))
    assert "**Not established**" in report(other)
    assert "**Fox** [1]" in report(asked)


@pytest.mark.parametrize(
    ("question", "wrong", "right", "found"),
    [
        (
            "How fast is the Marisa?",
            "The Marisa was launched in June 1926.",
            "The Marisa reaches a speed of 17 knots.",
            "17 knots",
        ),
        ("How fast is the Marisa?", "The Marisa was launched in June 1926.", "The Marisa makes 9 m/s.", "9 m/s"),
        (
            "How tall is the Orta tower?",
            "The Orta tower has 300 steps.",
            "The Orta tower rises 41 metres.",
            "41 metres",
        ),
    ],
)
def test_how_fast_asks_for_a_speed(question: str, wrong: str, right: str, found: str) -> None:
    """ "How fast is it?" was once answered with "June 2026", which stood beside the name."""
    scripted = ScriptedWriter({"How": r"(\d+)"}, sure={"300": 0.9, "1926": 0.9})
    able = replace(
        tools(scripted, Shelf(passage(wrong, "One"), passage(right, "Two"))),
        suits=suiting(answer_kinds(), open_embedder().embed),
    )
    _, state = finish(ResearchState(question=question), able)
    assert f"**{found}**" in report(state), "a figure is answered with its unit"


def test_a_measure_is_asked_for_only_where_one_is_named() -> None:
    _, state = research(
        "How did the Marisa sink?", ScriptedWriter({"How": r"by (\w+)"}), Shelf(passage("The Marisa sank by fire."))
    )
    assert "**fire**" in report(state)


def test_a_question_of_many_parts_is_bounded_and_the_bound_is_said() -> None:
    """A page of questions once cost five minutes."""
    question = " ".join(f"Who built the barge number {n}?" for n in range(1, 31))
    _, state = research(question, writer(), Shelf(KITCHEN))
    assert len(state.questions) == 6
    assert "The question has 30 parts; the first 6 were asked." in report(state)


@pytest.mark.parametrize("before", [20, 60])
def test_an_answer_loses_nothing_because_other_passages_were_found_too(before: int) -> None:
    """The same answer behind 0, 20, 30 and 60 passages was once believed .72, .46, .33 and not at all."""

    def belief(count: int) -> float:
        writer = ScriptedWriter({"built": r"built by (\w+)"})
        chapters = [passage(f"Chapter {n} tells of the cargo of the Marisa barge.", f"Book {n}") for n in range(count)]
        deed = passage("The Marisa barge was built by Canale.", "Deeds")
        _, state = research("Who built the Marisa barge?", writer, Shelf(KITCHEN))
        _, after = finish(amend(state, [*chapters, deed]), tools(writer, Shelf()))
        return after.graph.answers("q1")[0].belief

    assert belief(before) == pytest.approx(belief(0), abs=0.1)  # which words are rare depends on what was read


def test_of_what_an_open_question_found_a_fact_reads_the_nearest_and_what_a_person_brought() -> None:
    near, far, brought = (
        passage("Salt is near.", "Near"),
        passage("Salt is far.", "Far"),
        passage("Salt is mine.", "Mine"),
    )
    finds = tuple(Find(passage=p.id, query="salt", rank=rank, score=1.0) for p, rank in ((near, 8), (far, 9)))
    held = ResearchState(question="salt?", evidence=(near, far, brought), finds=finds, budget=Budget(passages=8))
    assert unread(held, subquestions("Where is salt?")[0]) == [near, brought]
    again = Find(passage=far.id, query="far salt", rank=1, score=1.0)
    assert unread(held.model_copy(update={"finds": (*finds, again)}), subquestions("Where is salt?")[0]) == [
        near,
        far,
        brought,
    ]


@pytest.mark.parametrize(
    ("asked", "is_list"), [("What helps hulls to last?", True), ("Do coats such as tar help hulls to last?", False)]
)
def test_a_list_may_be_incomplete_and_a_yes_or_no_is_none(asked: str, is_list: bool) -> None:
    """Whatever the classifier of operations on tables takes it for."""
    question = SubQuestion(id="q1", text=asked, asked=asked, form="balance", operation="list")
    state = ResearchState(question=asked, questions=(question,), references=("s",))
    said = [b.text for b in loop._incomplete(state).draft.blocks if "may be incomplete" in b.text]
    assert bool(said) == is_list
