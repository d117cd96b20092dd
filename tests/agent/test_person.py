"""What a person does to a draft, on drafts made by hand: own words, bans, places outside sentences, plans."""

from __future__ import annotations

import pytest

from palimpsest.agent import banning, person, plans, reopening
from palimpsest.agent.draft import Block, Draft, Span, Support, moved
from palimpsest.agent.loop import amend
from palimpsest.agent.plans import Plan
from palimpsest.agent.questions import spoken_of, subquestions
from palimpsest.agent.state import Event, Filled, ResearchState, SubQuestion, Tools
from palimpsest.agent.steering import Edit, Steering
from palimpsest.retrieval.types import Passage

from .world import NUMBERS, ScriptedWriter, Shelf, drained, finish, passage, report, research, tools

BARGE = passage("The barge Marisa on Lake Orta holds 12 crates of salt. It is red.", "Barges", "2024-05-01")
LOG = passage(
    "A pilot wrote in spring that Marisa holds 12 crates when she leaves the quay. Then ink ran out.",
    "Log",
    "2023-05-01",
)
PATTERNS = {"How many": r"holds (\d+) crates"}
QUESTION = "How many crates does Marisa hold?"


def steered(state: ResearchState, wish: Steering, *held: Passage) -> tuple[list[Event], ResearchState]:
    events, after = finish(amend(state, [], steering=wish), tools(ScriptedWriter(PATTERNS), Shelf(*held)))
    opened = [s for r in after.revisions if r.version == after.version for s in r.reopened]
    assert moved(state.draft, after.draft, opened) == []
    return events, after


@pytest.fixture
def both() -> ResearchState:
    return research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE, LOG))[1]


def test_a_banned_source_gives_way_to_one_that_says_the_same(both: ResearchState) -> None:
    first = both.draft.span("q1.answer").support[0].passage
    _, after = steered(both, Steering(ban=(both.passage(first).source.id,)))
    answer = after.draft.span("q1.answer")
    assert (answer.text, answer.status) == ("12", "filled")
    assert answer.support[0].passage != first
    assert {r.reason for r in after.revisions} == {"ban"}
    cited = {s.passage for span in after.draft.spans() for s in span.support}
    assert first not in cited
    assert first in {p.id for p in after.withdrawn}
    assert "banned by a person" in report(after)


def test_belief_that_a_banned_passage_gave_is_taken_back(both: ResearchState) -> None:
    rival = next(h for h in both.graph.hypotheses if h.kind == "answer")
    other = next(p for p in (BARGE, LOG) if p.id != rival.support[0].passage)
    _, after = steered(both, Steering(ban=(other.source.id,)))
    assert after.graph.get(rival.id).belief < rival.belief
    assert not [e for e in after.graph.edges if e.source == other.id]
    assert after.draft.span("q1.answer").text == "12"


def test_what_is_pinned_outlives_the_ban_of_its_source(both: ResearchState) -> None:
    _, pinned = steered(both, Steering(pin=("q1.answer",)))
    source = both.passage(both.draft.span("q1.answer").support[0].passage).source.id
    _, after = steered(pinned, Steering(ban=(source,)))
    assert after.draft.span("q1.answer").status == "pinned"


def cell(name: str, text: str, held: Passage | None) -> Span:
    if held is None:
        return Span(id=name, text=text)
    at = held.text.index(text)
    support = Support(passage=held.id, quote=text, start=at, end=at + len(text))
    return Span(id=name, text=text, kind="NUMBER", status="filled", support=(support,))


def with_table(state: ResearchState) -> ResearchState:
    spans = (
        cell("t.0.0", " ", None),
        cell("t.0.1", "Crates", None),
        cell("t.1.0", "Marisa", None),
        cell("t.1.1", "12", BARGE),
    )
    rows = (("t.0.0", "t.0.1"), ("t.1.0", "t.1.1"))
    table = Block(id="table", kind="table", section="table", spans=spans, rows=rows)
    return state.model_copy(update={"draft": state.draft.append(table, ())})


def test_a_cell_that_only_a_banned_source_fills_is_empty(both: ResearchState) -> None:
    _, after = drained(banning.ban(with_table(both), BARGE.source.id))
    assert (after.draft.span("t.1.1").text, after.draft.span("t.1.1").status) == ("", "unestablished")
    assert [r.span for r in after.revisions if r.span == "t.1.1"] == ["t.1.1"]


class Chooser(ScriptedWriter):
    """Gives one filling to every place that is chosen; `asked` keeps the questions."""

    def __init__(self, filled: Filled) -> None:
        super().__init__({})
        self.filled, self.asked = filled, list[tuple[str, str]]()

    def choose(self, question: str, kind: str, passages: object) -> Filled:
        self.asked.append((question, kind))
        return self.filled


def filled(text: str, held: Passage | None) -> Filled:
    at = held.text.index(text) if held else -1
    return Filled(
        text=text, passage=held.id if held else None, start=at, end=at + len(text), probability=0.8, none=0.1, steps=2
    )  # fmt: skip


def opened(state: ResearchState, name: str) -> ResearchState:
    return state.model_copy(update={"draft": state.draft.mark(name, "open"), "version": 2})


def test_a_cell_that_a_person_opens_is_read_again(both: ResearchState) -> None:
    writer = Chooser(filled("12", LOG))
    _, after = drained(reopening.settle(opened(with_table(both), "t.1.1"), tools(writer, Shelf())))
    assert writer.asked == [("Marisa: Crates", "NUMBER")]
    assert after.draft.span("t.1.1").support[0].passage == LOG.id
    assert (after.revisions[-1].reason, after.revisions[-1].evidence) == ("person", LOG.id)


def test_an_empty_cell_that_a_person_opens_is_filled_or_said_to_be_empty(both: ResearchState) -> None:
    state = with_table(both)
    empty = state.draft.span("t.1.1").model_copy(update={"text": "", "support": (), "status": "unestablished"})
    state = state.model_copy(update={"draft": state.draft.replace([empty])})
    waiting, chooser = opened(state, "t.1.1"), Chooser(filled("12", LOG))
    _, after = drained(reopening.settle(waiting, tools(chooser, Shelf())))
    assert after == waiting, "nobody opened it: it waits for what is searched"
    state = state.model_copy(update={"steering": Steering(reopen=("t.1.1",))})
    _, after = drained(reopening.settle(opened(state, "t.1.1"), tools(chooser, Shelf())))
    assert after.draft.span("t.1.1").text == "12"
    _, after = drained(reopening.settle(opened(state, "t.1.1"), tools(Chooser(filled("", None)), Shelf())))
    assert after.draft.span("t.1.1").status == "unestablished"


def test_a_place_in_which_nothing_is_read_stands_as_it_stood(both: ResearchState) -> None:
    state = with_table(both)
    _, after = drained(reopening.settle(opened(state, "t.1.1"), tools(Chooser(filled("", None)), Shelf())))
    assert after.draft.span("t.1.1") == state.draft.span("t.1.1")
    assert (after.revisions[-1].old, after.revisions[-1].new) == ("12", "12")


def test_a_heading_that_a_person_opens_is_named_from_what_its_section_quotes(both: ResearchState) -> None:
    title = Span(id="section.1.title", text="Salt", kind="OUTLINE", status="filled")
    heading = Block(id="section.1.heading", kind="heading", section="section.1", level=2, spans=(title,))
    quoted = next(b for b in both.draft.blocks if b.kind == "quotation").model_copy(update={"section": "section.1"})
    state = both.model_copy(update={"draft": Draft(blocks=(heading, quoted))})
    writer = Chooser(filled("Lake Orta", BARGE))
    _, after = drained(reopening.settle(opened(state, "section.1.title"), tools(writer, Shelf())))
    assert writer.asked == [("What is this about?", "OUTLINE")]
    assert after.draft.span("section.1.title").text == "Lake Orta"


def test_words_of_a_person_that_the_model_writes_over_are_no_longer_theirs(both: ResearchState) -> None:
    _, edited = steered(both, Steering(edits=(Edit(span="q1.answer", words="a dozen"),)))
    place = edited.draft.span("q1.answer")
    assert (place.text, place.person, place.status) == ("a dozen", True, "pinned")
    free = edited.draft.mark("q1.answer", "filled")
    assert free.replace([place.model_copy(update={"text": "12", "status": "filled"})]).span("q1.answer").person is False
    _, again = steered(edited, Steering(reopen=("q1.answer",)))
    assert (again.draft.span("q1.answer").text, again.draft.span("q1.answer").person) == ("12", False)


def test_blanks_around_a_place_stay_when_a_person_writes_in_it(both: ResearchState) -> None:
    place = next(s for s in both.draft.spans() if s.text == " crates of salt.")
    _, after = steered(both, Steering(edits=(Edit(span=place.id, words="boxes of salt."),)))
    assert "holds 12 boxes of salt." in report(after)


def test_names_of_places() -> None:
    spans = (Span(id="b.0", text="x", kind="TEXT"), Span(id="b.c", text="", kind="CITE", role="citation"))
    draft = Draft(blocks=(Block(id="b", kind="quotation", section="x", spans=spans),))
    assert [s.id for s in person.places(draft, "b")] == ["b.0"]
    assert person.places(draft, "b.c") == []
    with pytest.raises(KeyError):
        person.places(draft, "c")


@pytest.mark.parametrize(
    ("words", "earlier", "answer", "meant"),
    [
        ("When was it built?", "Who designed the Eiffel Tower?", "Sauvestre", "When was the Eiffel Tower built?"),
        ("Where did he live?", "Who designed the Eiffel Tower?", "Sauvestre", "Where did Sauvestre live?"),
        ("What is its height?", "Which tower is the tallest?", "Burj", "What is Burj's height?"),
        ("Who built the harbour?", "Who designed the Eiffel Tower?", "Sauvestre", "Who built the harbour?"),
        ("How fast is it?", "how do models decode?", "", "How fast is it?"),
    ],
)
def test_a_pronoun_is_what_was_spoken_of(words: str, earlier: str, answer: str, meant: str) -> None:
    assert spoken_of(words, earlier, answer) == meant


def planner(words: str) -> list[SubQuestion]:
    return subquestions(words)


CHAIN = "What is the fastest barge, and who built it, and where?"


def test_a_plan_that_nobody_changed_is_the_plan() -> None:
    made = subquestions(CHAIN)
    assert plans.questions(Plan.of(made).items, planner) == made


def test_what_rested_on_a_part_that_is_gone_stands_by_itself() -> None:
    plan = Plan.of(subquestions(CHAIN)).without(0)
    first = plans.questions(plan.items, planner)[0]
    assert (first.id, first.text, first.depends_on) == ("q1", "Who built it?", ())


def test_what_rests_on_a_part_keeps_it_when_both_move() -> None:
    plan = Plan.of(subquestions(CHAIN)).plus("Who sails?").moved(3, 0)
    made = plans.questions(plan.items, planner)
    assert [(q.id, q.depends_on) for q in made[:3]] == [("q1", ()), ("q2", ()), ("q3", ("q2",))]
    assert "{q2}" in made[2].text
    turned = plans.questions(Plan.of(subquestions(CHAIN)).moved(1, 0).items, planner)
    assert turned[0].depends_on == (), "it cannot wait for what comes after it"


def test_the_parts_of_a_persons_own_words_rest_on_each_other() -> None:
    made = plans.questions(Plan().plus("Who won?").plus(CHAIN).items, planner)
    assert [(q.id, q.depends_on) for q in made[:3]] == [("q1", ()), ("q2", ()), ("q3", ("q2",))]
    assert "{q2}" in made[2].text


def test_a_persons_words_form_and_scope_are_planned() -> None:
    plan = Plan().plus("How many barges sail?", "open").plus("Who won?").scoped(1, "as of 2019")
    first, second = plans.questions(plan.items, planner)
    assert (first.form, first.text) == ("open", "How many barges sail?")
    assert (second.form, second.as_of, second.text) == ("fact", "2019", "Who won, as of 2019?")


def test_an_approved_plan_is_what_is_asked() -> None:
    plan = Plan().plus("Who keeps the store?", "fact")
    state = ResearchState(question="Anything?", plan=plan.items)
    events, after = finish(state, Tools(ScriptedWriter({}), Shelf(), NUMBERS))
    assert [q.asked for q in after.questions] == ["Who keeps the store?"]
    assert events[0].data["approved"] is True
