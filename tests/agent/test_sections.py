"""An open report: outline, sections, what is merged, what gives way, what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from palimpsest.agent import blocks, dependents, forms, missing, outline, sections, steps
from palimpsest.agent.computing import Operation
from palimpsest.agent.dependents import withdraw
from palimpsest.agent.draft import Support, moved
from palimpsest.agent.drafting import sentence_parts
from palimpsest.agent.loop import amend
from palimpsest.agent.rivals import find_rival
from palimpsest.agent.selection import Chosen, Sentence
from palimpsest.agent.state import REASONS, Budget, Event, Form, Reason, ResearchState, Side, SubQuestion, Tools
from palimpsest.agent.steering import Steering
from palimpsest.agent.thresholds import SHIPPED
from palimpsest.agent.weighing import FUTURE
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Hit, Passage, Source

from .world import NUMBERS, ScriptedWriter, Shelf, drained, finish, passage, report

TOPICS = ("salt", "wind", "crew")
SALT = passage("Salt cargo pays well on the lake. Salt cargo fills most barges of Orta.", "Salt", "2024")
MORE_SALT = passage("The price of salt cargo rose on the lake in spring.", "More salt", "2025")
WIND = passage("North wind stops barges on the lake. North wind blows in March.", "Wind", "2024")
CREW = passage("A crew of four sails a barge on the lake. The crew sleeps on board.", "Crew", "2024")
QUESTION = "What shapes the trade on the lake?"
OPEN = SubQuestion(id="q1", text=QUESTION, asked=QUESTION, form="open")


class TopicReader:
    """Chooses sentences that name a topic, but for the `unwanted` once four passages are found; vectors tell the topics of a text."""

    def __init__(
        self, things: tuple[str, ...] = (), unwanted: str = "", form: Form = "open", attributes: tuple[str, ...] = ()
    ) -> None:
        self.things, self.unwanted, self.form, self.attributes = things, unwanted, form, attributes

    def plan(self, question: str) -> list[SubQuestion]:
        whole = SubQuestion(id="q1", text=question, asked=question, form=self.form, things=self.things)
        return [whole.model_copy(update={"attributes": self.attributes})]

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        pieces = [Sentence(h.passage, a, b, n) for n, h in enumerate(found, 1) for a, b in h.passage.sentences]
        wanted = [p for p in pieces if any(t in p.text.lower() for t in TOPICS)]
        if self.unwanted and len(found) > 3:
            wanted = [p for p in wanted if self.unwanted not in p.text]
        return [Chosen((p,), 1.0 - 0.01 * n) for n, p in enumerate(wanted)]

    def nearest(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        return []

    def sides(self, question: str, chosen: Sequence[Chosen]) -> list[Side]:
        return ["against" if "wind" in c.text else "for" if "Salt" in c.text else "" for c in chosen]

    def cells(
        self, things: Sequence[str], attributes: Sequence[str], found: Sequence[Hit]
    ) -> dict[tuple[str, str], Chosen]:
        pieces = [Sentence(h.passage, a, b, n) for n, h in enumerate(found, 1) for a, b in h.passage.sentences]
        held: dict[tuple[str, str], Chosen] = {}
        for thing in things:
            for attribute in attributes:
                fit = [p for p in pieces if thing in p.text.lower() and attribute in p.text.lower()]
                held.update({(thing, attribute): Chosen((fit[0],), 1.0)} if fit else {})
        return held

    def is_near(self, words: str, texts: Sequence[str]) -> bool:
        return "lake" in words or "viaduct" in words

    def is_topic(self, question: str, *names: str) -> bool:
        return not any("understanding" in name for name in names)

    def aims(self, chosen: Sequence[Chosen], read: Sequence[Passage]) -> list[bool]:
        return [c.text.startswith("We mean to") for c in chosen]

    def studies(self, read: Sequence[Passage]) -> set[str]:
        return {p.source.id for p in read if "trial" in p.source.title}

    def beyond(self, question: str) -> str:
        return FUTURE if "2090" in question else ""

    def unreported(self, question: str, found: Sequence[Hit]) -> list[Source]:
        return [h.passage.source for h in found if "is planned" in h.passage.text]

    def wholeness(self, texts: Sequence[str]) -> dict[str, float]:
        return {}

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.array([[0.01 + 1.0 * (t in text.lower()) for t in TOPICS] for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class NoTables:
    belief = 0.9

    def operation(self, question: str) -> Operation:
        return "value"

    def tables(self, passages: Sequence[Passage]) -> list[Table]:
        return []

    def read(self, *asked: object) -> None:
        return None


def run(reader: TopicReader, *held: Passage, **budget: int) -> ResearchState:
    tools = Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, reader)
    return finish(ResearchState(question=QUESTION, budget=Budget(**budget)), tools)[1]


def test_an_open_question_gets_sections_whose_headings_are_words_of_their_sentences() -> None:
    state = run(TopicReader(), SALT, WIND, CREW)
    headings = [b for b in state.draft.blocks if b.kind == "heading" and b.section in blocks.SECTIONS]
    assert len(headings) == 3
    for block in headings:
        (slot,) = block.spans
        (support,) = slot.support
        held = state.passage(support.passage)
        assert slot.kind == "OUTLINE"
        assert slot.text.casefold() == held.text[support.start : support.end].casefold() == support.quote.casefold()
    assert len({b.text for b in headings}) == 3


def test_what_one_source_says_stands_together_and_in_its_own_order() -> None:
    """The source of the best statement first: a conclusion is not read ahead of what it concludes from."""
    salt, wind = passage(SALT.text, "Salt"), passage(WIND.text, "Wind")
    one, two = (Sentence(salt, a, b, 1) for a, b in salt.sentences)
    other = Sentence(wind, *wind.sentences[0], 2)
    chosen = [Chosen((two,), 0.9), Chosen((other,), 0.8), Chosen((one,), 0.7)]
    assert sections._as_told(chosen) == [chosen[2], chosen[0], chosen[1]]


def test_what_is_said_in_short_of_one_source_stands_in_its_own_order(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (Sentence(SALT, a, b, 1) for a, b in SALT.sentences)
    told = [Chosen((second,), 0.9), Chosen((first,), 0.8)]
    monkeypatch.setattr(sections, "_in_short", lambda *_: told)
    state = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    short = [b.text for b in sections.quotations(state) if b.section == blocks.SHORT]
    assert short == [first.text, second.text]


def test_a_heading_is_of_what_stands_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Lifted pavements" stood over what speaks of shade: its own sentence had gone to what is said in short."""
    held = [SALT, MORE_SALT, passage("Old salt cargo was taxed on the lake.", "Old salt"), WIND, CREW]
    whole = finish(ResearchState(question=QUESTION), Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()))[1]
    heading = next(b for b in whole.draft.blocks if b.section == "section.1" and b.kind == "heading")
    named = next(b for b in sections.quotations(whole) if heading.text.casefold() in b.text.casefold())
    every = [Chosen((Sentence(p, a, b, 1),), 0.9) for p in held for a, b in p.sentences]
    moved = [c for c in every if heading.text.casefold() in c.text.casefold()]
    assert named.text in [c.text for c in moved]
    monkeypatch.setattr(sections, "_in_short", lambda *_: moved)
    state = run(TopicReader(), *held)
    for block in (b for b in state.draft.blocks if b.kind == "heading" and b.section in blocks.SECTIONS):
        under = [b.text.casefold() for b in sections.quotations(state) if b.section == block.section]
        places = [s for span in block.spans for s in span.support]
        assert all(any(place.quote.casefold() in text for text in under) for place in places)


def test_no_sentence_stands_twice_and_every_one_is_its_sources() -> None:
    state = run(TopicReader(), SALT, WIND, CREW)
    quoted = [b for b in state.draft.blocks if b.kind == "quotation"]
    assert len({b.text for b in quoted}) == len(quoted) == 6
    for block in quoted:
        whole = block.span("citation").support[0]  # type: ignore[union-attr]
        assert state.passage(whole.passage).text[whole.start : whole.end] == block.text


def test_sentences_that_say_the_same_are_one_with_all_their_sources() -> None:
    twin = passage("North wind stops barges on the lake.", "Another")

    class Merging(TopicReader):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            chosen = super().choose(question, found, characters)
            own = [c for c in chosen if c.sentences[0].passage.source.id != twin.source.id]
            also = tuple(Sentence(twin, a, b, 9) for a, b in twin.sentences)
            first = own[0].sentences[0].text
            return [Chosen(c.sentences, c.score, also if c.sentences[0].text == first else ()) for c in own]

    state = run(Merging(), WIND, SALT, twin)
    assert any(len(b.span("citation").support) == 2 for b in state.draft.blocks if b.kind == "quotation")  # type: ignore[union-attr]
    assert "[1] [2]" in report(state)


def test_a_quotation_that_is_no_longer_chosen_is_reopened_as_unsure() -> None:
    """The second search brings a fourth passage; beside it one sentence is not chosen any more, and another takes its place."""
    reader = TopicReader(unwanted="Salt cargo fills")
    before = run(reader, SALT, WIND, CREW)
    assert "Salt cargo fills most barges" in report(before)
    grown = before.model_copy(update={"evidence": (*before.evidence, MORE_SALT)})
    writing = sections.write(grown, Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader), before.questions[0])
    events = []
    while True:
        try:
            events.append(next(writing).kind)
        except StopIteration as stop:
            after = stop.value
            break
    assert events == ["reopened", "revised"]
    (revision,) = after.revisions
    assert (revision.reason, revision.old, revision.new) == (
        "unsure",
        "Salt cargo fills most barges of Orta.",
        MORE_SALT.text,
    )
    assert moved(before.draft, after.draft, revision.reopened) == []


def test_what_nothing_speaks_of_is_named_with_the_searches() -> None:
    state = run(TopicReader(things=("salt", "Zanzibar")), SALT, WIND, CREW)
    shown = report(state)
    assert "Zanzibar: no source that was found says anything of it" in shown
    assert missing._is_spoken_of(
        "toll removal", SubQuestion(id="q1", text="", asked=""), ["The toll was removed in May."]
    )
    assert not missing._is_spoken_of(
        "toll removal", SubQuestion(id="q1", text="", asked=""), ["A toll.", "It was removed."]
    )
    assert not missing._is_spoken_of(
        "Toll Removal", SubQuestion(id="q1", text="", asked=""), ["The toll was removed in May."]
    )
    assert (
        f"searched: {QUESTION}; salt: the same question; Zanzibar: the same question"
        in shown.split("## Not established")[1]
    )


def test_a_question_that_ends_with_a_full_stop_is_named_with_one() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, TopicReader(things=("Zanzibar",)))
    shown = report(finish(ResearchState(question="Say what shapes the trade on the lake."), tools)[1])
    assert "searched: Say what shapes the trade on the lake." in shown
    assert ".." not in shown.split("## Not established")[1].split("## ")[0]


def test_what_says_what_the_thing_is_stands_first() -> None:
    told = passage(
        "The hold of Marisa carries salt on the lake. Marisa is a barge that carries salt on the lake.", "Boats", "2024"
    )
    others = [passage(f"Salt cargo number {n} of the lake is sold in Orta.", f"Note {n}") for n in range(4)]
    tools = Tools(ScriptedWriter({}), Shelf(told, *others), NUMBERS, WholePassages())
    state = finish(ResearchState(question="How does Marisa carry salt on the lake?"), tools)[1]
    first = next(b for b in state.draft.section(blocks.SHORT) if b.kind == "quotation")
    assert first.text == "Marisa is a barge that carries salt on the lake."
    assert sum("Marisa is a barge" in b.text for b in sections.quotations(state)) == 1
    both = SubQuestion(id="q1", text="How do Marisa and Tolomeo carry salt?", asked="", form="open")
    chosen = [Chosen((Sentence(told, *told.sentences[1], 1),), 1.0)]
    assert sections._defining(both, chosen) == []


def test_a_balance_has_its_sides_apart_and_a_verdict_in_words() -> None:
    more = passage("Salt cargo pays taxes for the lake.", "Taxes", "2024")
    shown = report(run(TopicReader(form="balance"), SALT, WIND, CREW, more))
    assert "of what is quoted, two independent sources read in support, one source against" in shown
    assert shown.index("## In support\n") < shown.index("## Against, or without effect\n")
    support = shown.split("## In support\n")[1].split("## ")[0]
    assert "Salt cargo" in support
    assert "wind" not in support


def test_what_takes_a_side_is_not_cut_for_what_stands_in_short() -> None:
    """Of "We saw no effect. 49 of them met the criteria." the second alone stood among what was without effect."""
    told = f"Salt cargo does not pay on the lake. Forty-nine crews met the criteria. {'Salt is dear and is sold in May. ' * 15}"
    held = [passage(told, title, "2024") for title in ("A", "B")]
    pieces = tuple(Chosen(tuple(Sentence(p, a, b, 1, 1.0) for a, b in p.sentences), 1.0) for p in held)

    def in_short(heading: str) -> list[str]:
        part = outline.Section(heading, pieces)
        return [c.text for c in sections._told(TopicReader(), [part], [], (sections._whole, sections._single))]

    assert in_short(forms.SIDES["against"]) == []
    assert "Salt cargo does not pay on the lake." in in_short("Salt")


def test_a_comparison_by_nothing_named_has_a_section_for_each_thing() -> None:
    def headings(attributes: tuple[str, ...]) -> list[str]:
        reader = TopicReader(things=("salt cargo", "old north wind"), form="comparison", attributes=attributes)
        state = run(reader, SALT, MORE_SALT, WIND, CREW)
        return [b.text for b in state.draft.blocks if b.kind == "heading" and b.section in blocks.SECTIONS]

    assert headings(())[:2] == ["Salt cargo", "North wind"]  # as the evidence names them
    assert not {"Salt cargo", "North wind"} <= set(headings(("depth",)))


def test_sections_go_by_what_heads_a_quotation_too() -> None:
    """Four lines of which each text is as near to the next are parted by the titles they stand under."""
    held = [
        passage(f"The crew {n} sleeps. The crew {n} sings.", title, "2024") for n, title in ((1, "Salt"), (2, "Wind"))
    ]
    rows = [[Chosen((Sentence(p, a, b, 1),), 1.0) for a, b in p.sentences] for p in held]
    mixed = [rows[0][0], rows[1][0], rows[0][1], rows[1][1]]
    asked = SubQuestion(id="q1", text=QUESTION, asked=QUESTION, form="open")
    parts = sections._parted(TopicReader(), asked, mixed, [])
    assert [{c.sentences[0].passage.source.title for c in part.chosen} for part in parts] == [{"Salt"}, {"Wind"}]


def test_a_comparison_is_a_table_whose_open_cells_become_queries() -> None:
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    state = run(reader, SALT, WIND, CREW)
    table = state.draft.block(forms.TABLE)
    assert table is not None
    cells = {s.id: s for s in table.spans}
    assert cells["table.1.1"].text == "Salt cargo pays well on the lake."
    assert state.passage(cells["table.1.1"].support[0].passage).source.id in state.references
    assert cells["table.2.2"].status == "unestablished"
    assert "wind: price" in [q.text for q in state.queries]
    shown = report(state)
    assert shown.count("Salt cargo pays well on the lake.") == 1
    assert "wind: no sentence was surely read on “Price”." in shown


def test_a_column_that_the_question_does_not_name_stands_only_where_it_compares() -> None:
    """Of a table of a source: salt is told of both, the crew of one."""
    both = passage(
        "Barges of Orta carry salt. Barges of Como carry salt. The crew of Orta sleeps on board.", "Barges", "2024"
    )

    places = [Chosen((Sentence(both, a, b, 1),), 1.0) for a, b in both.sentences]
    rows = dict(zip([("orta", "cargo"), ("como", "cargo"), ("orta", "crew")], places, strict=True))
    asked = SubQuestion(id="q1", text=QUESTION, asked=QUESTION, form="comparison", things=("orta", "como"))
    state, used = forms.table(ResearchState(question=QUESTION), TopicReader(), asked, ("cargo", "crew"), [], [], rows)
    table = state.draft.block(forms.TABLE)
    assert table is not None
    assert [len(row) for row in table.rows] == [2, 2, 2]
    assert [c.text for c in used] == ["Barges of Orta carry salt.", "Barges of Como carry salt."]
    named = asked.model_copy(update={"attributes": ("cargo", "crew")})
    _, used = forms.table(ResearchState(question=QUESTION), TopicReader(), named, named.attributes, [], [], rows)
    assert len(used) == 3


@pytest.mark.parametrize(("form", "asked"), [("comparison", ["comparison"]), ("open", ["fact", "open"])])
def test_what_is_compared_is_asked_of_no_table_beside_its_own(form: Form, asked: list[str]) -> None:
    """Under a table of two canals stood once: "it is not clear what “Compare” means among its columns"."""
    reader = TopicReader(things=("salt", "wind"), form=form, attributes=("lake",))
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND), NUMBERS, reader, records=NoTables())
    first = next(steps.plan(ResearchState(question=QUESTION), tools))
    assert isinstance(first, Event)
    assert [q["form"] for q in first.data["questions"]] == asked


def test_a_cell_that_a_ban_empties_is_read_in_other_sources_and_what_stays_empty_is_said() -> None:
    """A ban once left a table of dashes, of which nothing was said."""

    class Two(TopicReader):
        """Chooses two sentences: others are free for cells."""

        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            return [c for c in super().choose(question, found, characters) if "blows" in c.text or "sleeps" in c.text]

    other = passage("The lake sees much salt in May.", "Salt log", "2023")
    reader = Two(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW, other), NUMBERS, reader)
    before = finish(ResearchState(question=QUESTION), tools)[1]
    assert before.draft.span("table.1.1").support[0].passage == SALT.id
    _, after = finish(amend(before, [], steering=Steering(ban=(SALT.source.id,))), tools)
    assert after.draft.span("table.1.1").text == other.text
    assert [(r.old, r.new, r.reason) for r in after.revisions if r.span == "table.1.1"] == [
        ("Salt cargo pays well on the lake.", "", "ban"),
        ("", other.text, "ban"),
    ]
    _, bare = finish(amend(after, [], steering=Steering(ban=(other.source.id,))), tools)
    assert bare.draft.span("table.1.1").status == "unestablished"
    assert "- salt: no sentence was surely read on “lake”, “price”; searched: " in report(bare).casefold()
    assert report(bare).count("salt: no sentence") == 1
    opened = {s for r in bare.revisions for s in r.reopened}
    assert moved(before.draft, bare.draft, opened) == []


def test_of_a_thing_that_nothing_speaks_of_no_cell_is_named_as_well() -> None:
    reader = TopicReader(things=("salt", "Zanzibar"), form="comparison", attributes=("lake", "price"))
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, reader)
    events, state = finish(ResearchState(question=QUESTION), tools)
    said = [e.text for e in events if e.kind == "unestablished"]
    assert [line.partition(" that was ")[0] for line in said if "Zanzibar: no " in line] == ["Zanzibar: no source"]
    assert "salt: no sentence was surely read on “Price”" in report(state)


def test_what_was_said_of_an_empty_cell_goes_when_it_is_filled() -> None:
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, reader)
    before = finish(ResearchState(question=QUESTION), tools)[1]
    assert "salt: no sentence was surely read on “Price”" in report(before)
    _, after = finish(amend(before, [MORE_SALT]), tools)
    assert after.draft.span("table.1.2").text == MORE_SALT.text
    assert "salt: no sentence was surely read on “Price”" not in report(after)
    assert "wind: no sentence was surely read on “Price”" in report(after)


def test_no_row_of_a_table_is_a_cell() -> None:
    """A row read as a sentence once stood under "Cost", with all that it holds."""
    row = SALT.model_copy(update={"kind": "row"})
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake",))
    state = run(reader, row, WIND, CREW)
    assert state.draft.span("table.1.1").status == "unestablished"
    assert state.draft.span("table.2.1").support
    grown = state.model_copy(update={"draft": state.draft.mark("table.1.1", "open")})
    assert (
        forms.fill(grown, reader, state.questions[0], [Hit(passage=row, score=1.0, rank=1)], lambda piece: True)[1]
        == []
    )


def test_a_short_quotation_fills_its_cell_whole_and_no_other_loses_by_it() -> None:
    """The cell's sentence was chosen with the next one; a long quotation gives its one sentence, and the rest stays in the report."""

    class Pairs(TopicReader):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            return [
                Chosen(tuple(Sentence(h.passage, a, b, n) for a, b in h.passage.sentences), 1.0 - n / 100)
                for n, h in enumerate(found, 1)
            ]

    reader = Pairs(things=("salt", "wind"), form="comparison", attributes=("lake",))
    table = run(reader, SALT, WIND, CREW).draft.block(forms.TABLE)
    assert table is not None
    assert {s.id: s.text for s in table.spans}["table.1.1"] == SALT.text
    words = " and of the harbour" * 20
    long = passage(f"Salt cargo pays well on the lake. The tax{words} is high. The toll{words} is low.", "Long", "2024")
    shown = report(run(reader, long, WIND, CREW))
    assert shown.count("Salt cargo pays well on the lake.") == 1
    assert shown.count(f"The toll{words} is low.") == 1


def test_an_open_cell_is_filled_by_what_is_found_later() -> None:
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    before = run(reader, SALT, WIND)
    opened = before.draft.mark("table.1.2", "open")
    grown = before.model_copy(update={"evidence": (*before.evidence, MORE_SALT), "draft": opened})
    writing = sections.write(grown, Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader), before.questions[0])
    *_, after = _states(writing)
    assert after.draft.span("table.1.2").text == MORE_SALT.text


def _states(writing: sections.Events) -> list[ResearchState]:
    while True:
        try:
            next(writing)
        except StopIteration as stop:
            return [stop.value]


def test_a_list_says_that_it_may_not_be_whole_and_a_plan_that_it_has_no_result() -> None:
    plan = passage("A study of salt cargo on the lake trade is planned.", "The salt study", "2026")
    assert "No list was read surely enough; what is quoted may be incomplete" in report(
        run(TopicReader(form="list"), SALT, WIND, CREW)
    )
    assert "“The salt study” (2026) describes a study" in report(run(TopicReader(form="balance"), SALT, WIND, plan))


def test_a_part_of_the_question_that_nothing_speaks_of_is_named() -> None:
    plan = SubQuestion(
        id="q1", text="What shapes salt on the lake, and what brings monsoon rain?", asked="?", form="open"
    )

    class Parts(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [plan]

    shown = report(run(Parts(), SALT, WIND, CREW))
    assert "Of the question's words, nothing quoted here uses “monsoon rain”" in shown
    assert "“shapes salt on the lake”" not in shown


@pytest.mark.parametrize(
    ("piece", "is_named"),
    [
        ("monsoon rain", True),
        ("deep salt mines", True),
        ("salt mines", False),
        ("wrecks", True),
        ("the understanding of wrecks", False),
        ("understanding", False),
        ("sailors", False),
        ("should it change", False),
        ("explain them", False),
    ],
)
def test_only_a_thing_is_named_as_missing_and_only_where_no_form_of_its_words_is_quoted(
    piece: str, is_named: bool
) -> None:
    class Parts(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [SubQuestion(id="q1", text=f"What of the lake, {piece}?", asked="?", form="open")]

    shown = report(
        run(Parts(), SALT, WIND, passage("Every crew has a sailor of the lake. The crew sleeps on board.", "Crew"))
    )
    assert (f"nothing quoted here uses “{piece}”" in shown) is is_named


@pytest.mark.parametrize(
    ("about", "named"),
    [
        ([("antibiotics", "gut bacteria")], "“antibiotics”, “gut bacteria”; searched"),
        ([("lake", "gut bacteria")], ""),  # the lake is quoted
        ([("antibiotics",), ("antibiotics", "benefits")], "“antibiotics”; searched"),  # it is what the two are about
    ],
)
def test_two_names_of_which_each_says_the_other_are_missing_together(about: list[tuple[str, ...]], named: str) -> None:
    class Parts(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            text = "What of the lake, antibiotics, gut bacteria and the benefits?"
            return [SubQuestion(id="q1", text=text, asked="?", form="open")]

        def is_topic(self, question: str, *names: str) -> bool:
            return names in about

    line = report(run(Parts(), SALT, WIND)).partition("nothing quoted here uses ")[2]
    assert line.startswith(named)
    assert bool(line) is bool(named)


def test_what_most_sources_that_were_read_are_about_is_not_missing() -> None:
    """ "Nothing quoted here uses “museum”" once stood in a report on the notes of a museum."""

    class Museum(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [SubQuestion(id="q1", text="What of the lake and the museum?", asked="?", form="open")]

    def is_named(count: int) -> bool:
        kept = [f"Salt cargo {n} pays on the lake.{' A museum keeps it.' * (n < count)}" for n in range(4)]
        reader = Museum(unwanted="museum")
        return "nothing quoted here uses “museum”" in report(run(reader, *(passage(t, f"Note {t[11]}") for t in kept)))

    assert is_named(1)
    assert not is_named(2)


def test_in_short_are_statements_that_stand_alone_and_say_what_is() -> None:
    salt = passage(
        "We mean to weigh salt. Does salt pay? Salt cargo pays on the lake. This salt is white. Salt cargo fills most barges of Orta.",
        "Salt",
    )
    state = run(TopicReader(), salt, WIND, CREW, MORE_SALT)
    short = [b.text for b in state.draft.section(blocks.SHORT) if b.kind == "quotation"]
    assert [text for text in short if "salt" in text.lower()] == [
        "Salt cargo fills most barges of Orta.",
        MORE_SALT.text,
    ]


def sentences_with(held: Passage, *scores: float) -> Chosen:
    """All sentences of a passage as one quotation."""
    places = zip(held.sentences, scores, strict=True)
    return Chosen(tuple(Sentence(held, a, b, 1, score) for (a, b), score in places), max(scores))


def test_a_sentence_in_short_may_be_one_of_a_longer_quotation() -> None:
    """Nothing may lean on it, nor it on another, and it must be short."""
    long = f"Salt cargo of Orta {'is heavy and ' * 40}dear."
    text = (
        f"{long} Salt cargo pays on the lake. They pay salt tolls. Salt cargo fills most barges. Salt cargo is white."
    )
    salt = outline.Section(
        "Salt", (sentences_with(passage(text, "Salt"), 3.0, 2.5, 2.0, 1.0, 0.9), sentences_with(MORE_SALT, 0.0))
    )
    wind = outline.Section("Wind", (sentences_with(WIND, 0.5, -2.0), sentences_with(CREW, -2.0, -2.0)))

    def short(*parts: outline.Section) -> list[str]:
        return [c.text for c in sections._in_short(TopicReader(), OPEN, parts, [])]

    salty = ["Salt cargo fills most barges.", "Salt cargo is white."]
    assert short(salt, wind) == [*salty, "North wind stops barges on the lake."]
    assert short(salt) == salty


def test_where_all_that_is_sure_is_long_a_sentence_of_it_is_said_in_short() -> None:
    """ "Lastly, we compare …" alone once stood ahead of long quotations that answered."""
    said = [f"Salt of the {name} pays well on the lake{' and lasts' * 16}." for name in ("north", "south", "east")]
    long = sentences_with(passage(" ".join(said), "Salt"), 3.0, 2.0, 1.0)
    salt = outline.Section("Salt", (long, sentences_with(WIND, -3.0, -3.0), sentences_with(CREW, -3.0, -3.0)))
    assert len(long.text) > SHIPPED.brief > len(said[0])
    assert [c.text for c in sections._in_short(TopicReader(), OPEN, [salt], [])] == said[:2]


def test_what_is_hardly_of_the_report_is_not_said_in_short() -> None:
    salt = sentences_with(SALT, 3.0, 1.0)  # .95 and .73
    twice = outline.Section("Salt", (salt, sentences_with(MORE_SALT, 0.0), sentences_with(CREW, -9.0, -9.0)))

    def short(score: float) -> list[str]:
        wind = outline.Section("Wind", (sentences_with(WIND, score, score - 1), sentences_with(CREW, -9.0, -9.0)))
        return [c.text for c in sections._in_short(TopicReader(), OPEN, [twice, wind], [])]

    assert short(-0.4) == [SALT.text, "North wind stops barges on the lake."]  # .40 of .95
    assert short(-0.6) == [SALT.text]  # .35


def test_in_short_are_the_surest_of_all_sections_and_few_of_one() -> None:
    """The best of a section that hardly belongs once stood ahead of the second best of the one that answers."""
    lines = [
        passage(f"Salt of the {name} pays well on the lake.", name)
        for name in ("north", "south", "east", "west", "sea")
    ]
    salt = outline.Section("Salt", tuple(sentences_with(held, 2.0 - n / 10) for n, held in enumerate(lines)))
    others = tuple(sentences_with(held, n, n) for held, n in ((WIND, -1.0), (CREW, -2.0), (CREW, -3.0)))
    wind = outline.Section("Wind", others)
    assert [c.text for c in sections._in_short(TopicReader(), OPEN, [wind, salt], [])] == [
        held.text for held in lines[:2]
    ]


def test_in_short_a_quotation_stays_whole_where_its_section_can_spare_it() -> None:
    """Parted, what was found stood apart from what it was found of, and reports recalled fewer facts."""
    held = (sentences_with(SALT, 1.0, 3.0), sentences_with(MORE_SALT, 0.0), sentences_with(CREW, -9.0, -9.0))
    (statement,) = sections._in_short(TopicReader(), OPEN, [outline.Section("Salt", held)], [])[:1]
    assert statement.text == SALT.text


def test_the_heading_of_answers_goes_with_the_last_of_them() -> None:
    facts = [SubQuestion(id=f"q{n}", text=f"Who sails {n}?", asked=f"Who sails {n}?", tentative=True) for n in (1, 2)]
    whole = SubQuestion(id="q3", text=QUESTION, asked=QUESTION, form="open")

    class Unsure(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [*facts, whole]

    assert "## Answer" not in report(run(Unsure(), SALT, WIND, CREW))


def test_a_question_asked_of_tables_beside_the_sections_has_an_id_of_its_own() -> None:
    """A part that was left out of the plan leaves a gap; the id of another would take the sections from the open question."""

    class Gap(TopicReader):
        def plan(self, question: str) -> list[SubQuestion]:
            return [q.model_copy(update={"id": "q2"}) for q in super().plan(question)]

    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, Gap(), records=NoTables())
    state = finish(ResearchState(question=QUESTION), tools)[1]
    assert [q.id for q in state.questions] == ["q2"]
    assert sections.quotations(state)


def test_with_a_reason_left_out_nothing_is_opened_for_it() -> None:
    reader = TopicReader(unwanted="Salt cargo fills")
    before = run(reader, SALT, WIND, CREW)
    grown = before.model_copy(update={"evidence": (*before.evidence, MORE_SALT)})
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader, reopens=frozenset({"contradicted"}))
    (after,) = _states(sections.write(grown, tools, before.questions[0]))
    assert after.revisions == ()
    assert MORE_SALT.text in report(after)
    assert "Salt cargo fills most barges" in report(after)


def test_a_question_that_nothing_answers_says_so() -> None:
    state = run(TopicReader(), passage("Bread rises.", "Kitchen"))
    assert "Nothing that was found answers this; searched:" in report(state)


def test_new_evidence_reopens_only_what_it_contradicts_in_an_open_report_too() -> None:
    fact = passage("The largest crew on Lake Orta is that of Marisa, with 4 men.", "Crews of 2024", "2024")
    newer = passage("The largest crew on Lake Orta is that of Marisa, with 9 men.", "Crews of 2026", "2026")
    reader = TopicReader()
    before = run(reader, fact, SALT, WIND)
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader)
    _, after = finish(amend(before, [newer]), tools)
    assert newer.text in report(after)
    assert moved(before.draft, after.draft, {s for r in after.revisions for s in r.reopened}) == []


def test_a_sentence_among_several_is_held_against_what_contradicts_it() -> None:
    """The quotation gives way to the newer sentence; the conflict names the one sentence that differs."""
    old = passage("The crew of Marisa counts 4 men on the lake. They sing.", "Crews of 2024", "2024")
    newer = passage("The crew of Marisa counts 9 men on the lake.", "Crews of 2026", "2026")

    class Whole(TopicReader):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            hits = [
                (h.passage, n) for n, h in enumerate(found, 1) if "crew" in h.passage.text and h.passage.id == old.id
            ]
            return [Chosen(tuple(Sentence(p, a, b, n) for a, b in p.sentences), 1.0) for p, n in hits]

    state = run(Whole(), old, newer)
    (conflict,) = state.conflicts
    assert {conflict.kept.quote, conflict.other.quote} == {newer.text, "The crew of Marisa counts 4 men on the lake."}
    first, heading = state.revisions
    assert (first.reason, first.new) == ("contradicted", newer.text)
    assert (heading.reason, state.draft.span(heading.span).kind) == ("dependent", "OUTLINE")
    assert heading.new.casefold() in newer.text.casefold()
    assert "They sing" not in report(state).split("## What was revised")[0]


def test_a_quotation_that_is_no_longer_chosen_leaves_where_nothing_takes_its_place() -> None:
    reader = TopicReader(unwanted="sold badly")
    sold = ("sold well", "was sent back", "came late", "sold badly")
    more_prices = " ".join(f"The salt cargo of year {n} {how}." for n, how in enumerate(sold))
    prices = passage(f"The price of salt cargo rose on the lake. {more_prices}", "Prices", "2025")
    before = run(reader, SALT, prices, WIND)
    more = [passage(f"Bread rises {n} times.", "Kitchen") for n in range(3)]
    assert "sold badly" in report(before)
    grown = before.model_copy(
        update={"evidence": (*before.evidence, *more), "finds": (), "queries": ()}
    )  # found anew: a fourth passage, and nothing in it
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader)
    (after,) = _states(sections.write(grown, tools, before.questions[0]))
    assert [(r.reason, r.new) for r in after.revisions] == [("unsure", "")]
    assert "sold badly" not in report(after)


def test_a_record_of_another_thing_is_no_rival() -> None:
    one = passage("The highest speed of the barge Marisa is 12 knots.", "A", "2024")
    other = passage("The highest speed of the barge Tolomeo is 15 knots.", "B", "2026")
    words = sentence_parts(one, 0, len(one.text))
    claim = blocks.quotation("c1", "section.1", words, one, "c1")
    assert find_rival(claim.words, other, NUMBERS) is None


class EverySentence(TopicReader):
    """Quotes every sentence of what names a topic, each paragraph's as one quotation but for the first."""

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        pieces: list[Chosen] = []
        for rank, hit in enumerate(found, 1):
            first, *others = [Sentence(hit.passage, a, b, rank) for a, b in hit.passage.sentences]
            pieces += [Chosen((first,), 1.0), *([Chosen(tuple(others), 0.9)] if others else [])]
        return pieces


OLD_CREW = "The crew of Marisa counts 4 men on the lake. The count was made in spring. Two of the men sing."
NEW_CREW = passage("The crew of Marisa counts 9 men on the lake.", "Crews of 2026", "2026")


def test_what_goes_on_from_a_sentence_that_lost_goes_with_it() -> None:
    state = run(EverySentence(), passage(OLD_CREW, "Crews of 2024", "2024"), NEW_CREW, SALT, MORE_SALT)
    assert [b.text for b in sections.quotations(state) if "count was made" in b.text] == []
    (fallen,) = [r for r in state.revisions if r.old.startswith("The count was made")]
    assert (fallen.reason, fallen.new, fallen.is_gone) == ("dependent", "", True)
    assert "“The count was made in spring. Two of the men sing.” → taken out: what it rests on changed." in report(
        state
    )
    assert any(b.text == "Salt cargo fills most barges of Orta." for b in sections.quotations(state))


class WholePassages(TopicReader):
    """Quotes every passage as one quotation."""

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        return [
            Chosen(tuple(Sentence(h.passage, a, b, n) for a, b in h.passage.sentences), 1.0)
            for n, h in enumerate(found, 1)
        ]


def test_of_a_quotation_of_several_sentences_only_what_lost_and_what_goes_on_from_it_leaves() -> None:
    ahead, lost = "Marisa is a barge on the lake.", "The crew of Marisa counts 4 men on the lake."
    goes_on = "The count was made in spring."
    behind = "Marisa carries salt. Two of her men sing."
    old = passage(f"{ahead} {lost} {goes_on} {behind}", "Crews of 2024", "2024")
    state = run(WholePassages(), old, NEW_CREW, SALT, MORE_SALT)
    texts = [b.text for b in sections.quotations(state)]
    assert {ahead, NEW_CREW.text, behind} <= set(texts), texts
    assert not any(lost in text or goes_on in text for text in texts)
    assert texts.index(ahead) < texts.index(behind)
    contradicted = [r for r in state.revisions if r.reason == "contradicted"]
    assert [(r.old, r.new) for r in contradicted] == [(f"{lost} {goes_on}", NEW_CREW.text)]


def test_what_stays_of_a_quotation_is_held_against_evidence_too() -> None:
    old = passage(
        "The crew of Marisa counts 4 men on the lake. Marisa measures 12 m above the water of the lake.",
        "Crews of 2024",
        "2024",
    )
    new = passage(
        "The crew of Marisa counts 9 men on the lake. Marisa measures 15 m above the water of the lake.",
        "Crews of 2026",
        "2026",
    )
    tools = Tools(ScriptedWriter({}), Shelf(old, SALT, MORE_SALT), NUMBERS, WholePassages())
    before = finish(ResearchState(question=QUESTION), tools)[1]
    after = finish(amend(before, [new]), tools)[1]
    assert not any("12 m" in b.text or "4 men" in b.text for b in sections.quotations(after))
    assert len(after.conflicts) == 2


def test_a_quotation_behind_a_label_keeps_its_first_sentence() -> None:
    text = (
        f"Conclusions\nMarisa is a barge on the lake of Orta. {OLD_CREW.split('. ')[0]}. Marisa carries salt to Orta."
    )
    whole = passage(text, "Crews of 2024", "2024")

    class BehindTheLabel(WholePassages):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            label = len("Conclusions\n")
            chosen = super().choose(question, found, characters)
            return [
                Chosen((Sentence(c.sentences[0].passage, label, c.sentences[0].end, 1), *c.sentences[1:]), 1.0)
                if c.text.startswith("Conclusions")
                else c
                for c in chosen
            ]

    state = run(BehindTheLabel(), whole, NEW_CREW, SALT, MORE_SALT)
    texts = [b.text for b in sections.quotations(state)]
    assert "Marisa is a barge on the lake of Orta." in texts
    assert "Marisa carries salt to Orta." in texts
    assert not any("4 men" in text for text in texts)


def test_a_part_that_others_say_too_keeps_their_citation() -> None:
    ahead = "Marisa is a barge on the lake."
    twin = passage(f"{ahead} Nobody doubts it.", "Twin", "2023")
    old = passage(f"{ahead} The crew of Marisa counts 4 men on the lake.", "Crews of 2024", "2024")

    class Merged(WholePassages):
        def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
            pieces = [c for c in super().choose(question, found, characters) if not c.text.startswith(twin.text)]
            also = tuple(Sentence(h.passage, *h.passage.sentences[0], 1) for h in found if h.passage.id == twin.id)
            return [Chosen(c.sentences, c.score, also) if c.text == old.text else c for c in pieces]

    state = run(Merged(), old, twin, NEW_CREW, SALT, MORE_SALT)
    (kept,) = [b for b in sections.quotations(state) if b.text == ahead]
    cited = kept.span("citation")
    assert cited is not None
    assert {state.passage(s.passage).source.title for s in cited.support} == {"Crews of 2024", "Twin"}


def test_what_nothing_decides_takes_nothing_with_it() -> None:
    """Two undated sources: both sentences stand, and so does what goes on from them."""
    old = passage("The crew of Marisa counts 4 men on the lake. The count was made in spring.", "One")
    new = passage("The crew of Marisa counts 9 men on the lake.", "Other")
    state = run(EverySentence(), old, new, SALT, MORE_SALT)
    if any("4 men" in b.text for b in sections.quotations(state)):
        assert any("The count was made" in b.text for b in sections.quotations(state))


def test_what_is_brought_joins_a_report_that_is_all_in_short() -> None:
    lone = passage("Marisa is a barge that carries salt on the lake.", "Boats", "2024")
    tools = Tools(ScriptedWriter({}), Shelf(lone), NUMBERS, TopicReader())
    before = finish(ResearchState(question="How does Marisa carry salt on the lake?"), tools)[1]
    assert {b.section for b in sections.quotations(before)} == {blocks.SHORT}
    after = finish(amend(before, [SALT]), tools)[1]
    assert any("Salt cargo" in b.text for b in sections.quotations(after))


def test_a_name_that_only_opens_a_sentence_is_none() -> None:
    """ "Remasking" is a word like others; "Marisa" is a name elsewhere in the text, and a name behind "The" is one.

    Who "holds this record still" does not say which, when the sentence that did is gone.
    """
    held = passage(
        "Salting came late to Marisa. Salting fills the hold. Marisa floats. The SDAR crew sings. Marisa holds this record still.",
        "Barges",
        "2024",
    )
    state = ResearchState(question=QUESTION, evidence=(held,))
    places = [(held.source.id, a, b) for a, b in held.sentences]
    assert [dependents._stands_alone(state, place) for place in places] == [False, False, True, True, False]


def test_a_paragraph_of_its_own_does_not_fall_with_the_sentence_before_it() -> None:
    apart = passage(OLD_CREW.replace(" The count", "\n\nThe count"), "Crews of 2024", "2024")
    state = run(EverySentence(), apart, NEW_CREW, SALT, MORE_SALT)
    assert any("The count was made in spring." in b.text for b in sections.quotations(state))


def test_with_dependent_left_out_what_goes_on_stays() -> None:
    tools = Tools(
        ScriptedWriter({}), Shelf(passage(OLD_CREW, "Crews of 2024", "2024"), NEW_CREW, SALT, MORE_SALT), NUMBERS,
        EverySentence(), reopens=frozenset({"contradicted"}),
    )  # fmt: skip
    state = finish(ResearchState(question=QUESTION, budget=Budget(rounds=1)), tools)[1]
    assert any("The count was made" in b.text for b in sections.quotations(state))


def test_in_short_that_lost_its_statements_takes_the_first_short_ones_of_full_sections() -> None:
    texts = [f"Salt cargo number {n} of the lake is sold by the ton in the old town of Orta." for n in range(5)]
    state = run(TopicReader(), *(passage(t, f"Note {n}") for n, t in enumerate(texts)), WIND, CREW)
    standing = {b.text for b in sections.quotations(state)}
    short = [b.id for b in state.draft.section(blocks.SHORT)]
    emptied = state.model_copy(update={"draft": state.draft.swap(short, [])})
    left = sections.quotations(emptied)
    after = sections._shortened(emptied)
    moved_up = [b for b in after.draft.section(blocks.SHORT) if b.kind == "quotation"]
    full = [s for s in blocks.SECTIONS if sum(b.section == s for b in left) > sections.LEAST_SECTION]
    assert full
    assert len(moved_up) == min(len(full), sections.IN_SHORT)
    assert {b.text for b in sections.quotations(after)} == {b.text for b in left} <= standing
    assert sections._shortened(after.model_copy(update={"version": 2})) == after.model_copy(update={"version": 2})


def test_a_heading_that_goes_with_the_last_quotation_under_it_is_among_the_reopened() -> None:
    before = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    after = before
    under = [b for b in sections.quotations(before) if b.section == blocks.SECTIONS[0]]
    assert under
    for block in under:
        (after,) = _states(withdraw(after, block, "dependent", "gone", "finish"))
    assert after.draft.section(blocks.SECTIONS[0]) == []
    opened = {s for r in after.revisions[len(before.revisions) :] for s in r.reopened}
    assert moved(before.draft, after.draft, opened) == []


def test_a_title_heads_no_section_in_which_nothing_stands_under_it() -> None:
    state = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    heading, quoted = state.draft.section(blocks.SECTIONS[0])[:2]
    (slot,) = heading.spans
    own, away = sections.source_title(state, quoted), passage("Elm is rare.", "Elm")
    state = state.model_copy(update={"withdrawn": (away,)})  # a person banned what it was the title of
    asked = state.questions[0]

    def is_orphan(text: str, **changed: object) -> bool:
        headed = slot.model_copy(update={"text": text, "support": (), **changed})
        held = state.model_copy(update={"draft": state.draft.replace([headed])})
        return [b.id for b in sections._orphaned(held, asked)] == [heading.id]

    assert is_orphan(away.source.title)
    assert not is_orphan(away.source.title, status="pinned")
    assert not is_orphan(own)
    assert not is_orphan("What the question asks about")
    gone = Support(passage=away.id, quote="Elm", start=0, end=3)
    assert is_orphan("Elm", support=(gone,))
    assert not is_orphan(own, support=(gone,))  # most of it still stands under that title
    asked = asked.model_copy(update={"text": "What is known of barges and elm of the lake?"})
    assert not is_orphan(away.source.title)  # the question's own word, whatever is called so


def test_a_heading_that_a_person_pinned_stays_without_what_stood_under_it() -> None:
    state = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    section = state.draft.section(blocks.SECTIONS[0])
    heading, *under = section
    last = under[-1]
    alone = state.model_copy(update={"draft": state.draft.swap([b.id for b in under[:-1]], [])})
    assert dependents.bared(alone, last) == [heading]
    pinned = heading.model_copy(
        update={"spans": tuple(s.model_copy(update={"status": "pinned"}) for s in heading.spans)}
    )
    kept = alone.model_copy(update={"draft": alone.draft.swap([heading.id], [pinned])})
    assert dependents.bared(kept, last) == []


def test_what_was_brought_later_and_comes_near_takes_back_that_nothing_does() -> None:
    class Brought(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("eels" in text for text in texts)

    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, Brought())
    asked = ResearchState(question="How do eels hunt, in salt or wind, and what crew sees them?", budget=Budget())
    _, before = finish(asked, tools)
    assert before.draft.block("nearest") is not None
    eels = passage("The eels hunt where the salt crew throws its scraps.", "Eels", "2025")
    _, after = finish(amend(before, [eels]), tools)
    assert any("eels" in b.text for b in sections.quotations(after))
    assert after.draft.block("nearest") is None
    assert after.revisions[-1].old == missing.BESIDE


def test_what_is_brought_later_stands_in_short_where_there_is_room() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, TopicReader())
    _, before = finish(ResearchState(question=QUESTION, budget=Budget()), tools)
    tax = passage("Salt cargo was taxed anew on the lake in May.", "Tax", "2026")

    def section_of(state: ResearchState) -> str:
        return next(b.section for b in sections.quotations(state) if "taxed" in b.text)

    assert sum(b.section == blocks.SHORT for b in sections.quotations(before)) < sections.IN_SHORT
    assert section_of(finish(amend(before, [tax]), tools)[1]) == blocks.SHORT
    full = before.draft.section("section.1")
    moved = [b.model_copy(update={"id": f"{b.id}.{n}", "section": blocks.SHORT}) for b in full[1:2] for n in range(4)]
    crowded = blocks.put(before, moved)
    assert section_of(finish(amend(crowded, [tax]), tools)[1]) in blocks.SECTIONS


def test_what_is_missing_follows_what_a_later_version_quotes() -> None:
    """A report said that nothing quoted uses a word which the evidence that was brought since was full of."""

    class Naming(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any(words.casefold() in text.casefold() for text in texts)

    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, Naming())
    asked = ResearchState(question="What shapes the salt trade and the price of herring?", budget=Budget())
    _, before = finish(asked, tools)
    assert "nothing quoted here uses" in report(before)
    fish = passage("The price of herring follows the salt crew.", "Herring", "2025")
    _, after = finish(amend(before, [fish]), tools)
    assert "herring" in "".join(b.text for b in sections.quotations(after))
    assert all("herring" not in b.text for b in after.draft.section("open"))
    gone = next(r for r in after.revisions if "nothing quoted here uses" in r.old)
    assert gone.reason == "dependent"
    assert not moved(before.draft, after.draft, [s for r in after.revisions for s in r.reopened])
    same = finish(amend(after, [], pin=(after.draft.section("section.1")[1].id,)), tools)[1]
    assert len(same.revisions) == len(after.revisions)


def test_a_report_that_found_nothing_is_written_of_what_is_brought() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, TopicReader())
    _, before = finish(ResearchState(question=QUESTION, budget=Budget()), tools)
    assert "Nothing that was found answers this" in report(before)
    _, after = finish(amend(before, [SALT, WIND, CREW]), tools)
    shown = report(after)
    assert "Nothing that was found answers this" not in shown.split("## What was revised")[0]
    assert {b.section for b in sections.quotations(after)} & set(blocks.SECTIONS)
    assert not moved(before.draft, after.draft, [s for r in after.revisions for s in r.reopened])


def test_no_heading_is_left_over_one_statement_but_of_a_side() -> None:
    state = run(TopicReader(), SALT, WIND, CREW)
    (left,) = [b for b in sections.quotations(state) if b.section == "section.2"][:1]
    gone = [b.id for b in sections.quotations(state) if b.section == "section.2" and b.id != left.id]
    thin = state.model_copy(update={"draft": state.draft.swap(gone, [])})
    events, after = drained(sections._folded(thin, TopicReader()))
    assert [e.kind for e in events] == ["replanned"]
    assert not after.draft.section("section.2")
    assert [b.section for b in sections.quotations(after) if b.text == left.text] != ["section.2"]
    alone = [b.id for b in thin.draft.blocks if b.section in blocks.SECTIONS and b.section != "section.2"]
    single = thin.model_copy(update={"draft": thin.draft.swap(alone, [])})
    assert [b.section for b in sections.quotations(drained(sections._folded(single, TopicReader()))[1])] == [
        "section.2"
    ]
    short = blocks.put(single, [left.model_copy(update={"id": "c99", "section": blocks.SHORT})])
    both = [b.section for b in sections.quotations(drained(sections._folded(short, TopicReader()))[1])]
    assert both == [blocks.SHORT, blocks.SHORT]
    side = next(b for b in thin.draft.blocks if b.id == "section.2.heading")
    named = side.model_copy(
        update={"spans": (side.spans[0].model_copy(update={"text": "Against, or without effect"}),)}
    )
    apart = thin.model_copy(update={"draft": thin.draft.swap([side.id], [named])})
    assert drained(sections._folded(apart, TopicReader()))[1] == apart
    later = thin.model_copy(update={"version": 2})
    assert drained(sections._folded(later, TopicReader()))[1] == later


def test_what_is_far_from_the_question_is_not_said_in_short() -> None:
    """ "The ranking counts only figures with named GPUs" was the first of what was said of energy a token."""

    class Far(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("lake" in text for text in texts)

    held = [(p, a, b) for p in (WIND, SALT) for a, b in p.sentences]
    pieces = [Chosen((Sentence(p, a, b, 1, 3.0 - n / 10),), 3.0 - n / 10) for n, (p, a, b) in enumerate(reversed(held))]
    parts = [outline.Section("Salt", tuple(pieces))]
    assert "lake" not in sections._in_short(TopicReader(), OPEN, parts, [])[0].text
    near = sections._in_short(Far(), OPEN, parts, [])
    assert near[0].text == "Salt cargo pays well on the lake."
    assert all("lake" in c.text for c in near)


def test_what_changed_is_told_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the year that a sentence tells of, or its source's; 1,950 barges are no year."""
    told = [
        ("The salt toll of the lake was dropped in 2019.", "2024"),
        ("The salt toll was paid by 1,950 barges in 1903.", None),
        ("Some 1,950 barges paid the salt toll.", "1880"),
        ("Nobody knows who asked for the salt toll.", None),
    ]
    held = [passage(text, f"Salt {n}", date) for n, (text, date) in enumerate(told)]
    monkeypatch.setattr(sections, "_in_short", lambda *_: [])
    asked = "How has the salt trade on the lake changed since 1880?"
    state = finish(
        ResearchState(question=asked, budget=Budget()), Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader())
    )[1]
    shown = [b.text for b in sections.quotations(state)]
    assert shown == [told[n][0] for n in (2, 1, 0, 3)]


class Eels(TopicReader):
    """Near to the question is what speaks of eels, and chosen is what else it chooses until eels are found."""

    def is_near(self, words: str, texts: Sequence[str]) -> bool:
        return any("eels" in text for text in texts)

    def choose(self, question: str, found: Sequence[Hit], characters: int) -> list[Chosen]:
        every = super().choose(question, found, characters)
        return [c for c in every if "eels" in c.text] or every


BESIDE = ResearchState(question="How do eels hunt, in salt or wind, and what crew sees them?", budget=Budget())
EEL = passage("The eels hunt where the salt crew throws its scraps.", "Eels", "2025")


def beside(*reopens: Reason) -> tuple[ResearchState, Tools]:
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, Eels())
    given = Tools(ScriptedWriter({}), Shelf(), NUMBERS, Eels(), reopens=frozenset(reopens or REASONS))
    return finish(BESIDE, tools)[1], given


def test_what_was_beside_the_point_goes_once_something_comes_near_but_for_what_is_pinned() -> None:
    before, tools = beside()
    assert before.draft.block("nearest") is not None
    after = finish(amend(before, [EEL]), tools)[1]
    assert [b.text for b in sections.quotations(after)] == [EEL.text]
    assert {r.reason for r in after.revisions if r.old in [b.text for b in sections.quotations(before)]} == {"unsure"}
    kept = sections.quotations(before)[0]
    pinned = finish(amend(before, [EEL], pin=(kept.id,)), tools)[1]
    assert kept.text in [b.text for b in sections.quotations(pinned)]
    far = finish(amend(before, [MORE_SALT]), tools)[1]
    assert {b.text for b in sections.quotations(before)} <= {b.text for b in sections.quotations(far)}


def test_it_stays_where_what_is_unsure_may_not_be_opened() -> None:
    before, tools = beside("contradicted", "dependent")
    after = finish(amend(before, [EEL]), tools)[1]
    assert {b.text for b in sections.quotations(before)} < {b.text for b in sections.quotations(after)}


def test_a_heading_over_one_statement_is_folded_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [SALT, MORE_SALT, WIND, CREW]
    whole = finish(
        ResearchState(question=QUESTION, budget=Budget()),
        Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()),
    )[1]
    counts = Counter(b.section for b in sections.quotations(whole) if b.section in blocks.SECTIONS)
    assert min(counts.values()) > 1

    def thin(state: ResearchState, tools: Tools) -> sections.Events:
        gone = [b.id for b in sections.quotations(state) if b.section == "section.2"][1:]
        return state.model_copy(update={"draft": state.draft.swap(gone, [])})
        yield

    monkeypatch.setattr(sections, "fall", thin)
    left = finish(
        ResearchState(question=QUESTION, budget=Budget()),
        Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()),
    )[1]
    assert not left.draft.section("section.2")


def test_of_what_is_brought_only_what_is_sure_near_and_found_stands_in_short() -> None:
    """A sentence of a longer quotation may; aims and what is far from the question may not, nor more than a few of all."""
    before = finish(
        ResearchState(question=QUESTION, budget=Budget()),
        Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, TopicReader()),
    )[1]
    bare = before.model_copy(
        update={"draft": before.draft.swap([b.id for b in before.draft.section(blocks.SHORT)], [])}
    )
    long = passage(f"Salt cargo of the lake {'is heavy and ' * 40}dear. Salt cargo is white on the lake.", "Long")
    aim, far = passage("We mean to weigh salt cargo on the lake.", "Aim"), passage("Salt cargo is grey in Orta.", "Far")
    unlikely = passage("The salt crew of the lake sleeps.", "Unlikely")

    class Near(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("lake" in text for text in texts)

    pieces = [
        sentences_with(p, *[score] * len(p.sentences))
        for p, score in ((long, 2.0), (aim, 2.0), (far, 2.0), (unlikely, -6.0))
    ]
    said = [c.text for c in sections._short_of(bare, Near(), OPEN, pieces, [], [])]
    assert said == ["Salt cargo is white on the lake."]
    many = [
        sentences_with(passage(f"Salt cargo {n} pays well on the lake.", f"Salt {n}"), 2.0 - n / 10) for n in range(5)
    ]
    assert len(sections._short_of(bare, Near(), OPEN, many, [], [])) == sections.FEW
    assert len(sections._short_of(bare, Near(), OPEN, many, many[:3], [])) == 1
    assert all(c not in many[:3] for c in sections._short_of(bare, Near(), OPEN, many, many[:3], []))


def test_a_comparison_that_found_nothing_gets_its_cells_from_what_is_brought() -> None:
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    before = finish(
        ResearchState(question=QUESTION, budget=Budget()), Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader)
    )[1]
    after = finish(amend(before, [SALT, CREW]), Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader))[1]
    shown = report(after)
    assert "▢" not in shown
    assert "wind: no source that was found says anything of it" in shown


def test_where_nothing_short_comes_near_the_best_quotation_is_said_in_short() -> None:
    """ "The ceremony was to celebrate" stood for how a name came about, and what it comes from in a longer quotation below."""

    class Near(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return any("toll" in text for text in texts)

    long = passage(f"Salt cargo pays a toll {'by day and ' * 40}by night.", "Long")
    pieces = [sentences_with(p, *[score] * len(p.sentences)) for p, score in ((WIND, 3.0), (long, 1.0), (CREW, 0.5))]
    (said,) = sections._in_short(Near(), OPEN, [outline.Section("Salt", tuple(pieces))], [])
    assert said.text == long.text
    unlikely = [pieces[0], sentences_with(long, -9.0), pieces[2]]
    assert sections._in_short(Near(), OPEN, [outline.Section("Salt", tuple(unlikely))], [])[0].text != long.text
