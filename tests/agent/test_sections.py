"""An open report: outline, sections, what is merged, what gives way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from palimpsest.agent import (
    blocks,
    forms,
    quoting,
    sections,
    steps,
)
from palimpsest.agent.draft import moved
from palimpsest.agent.drafting import sentence_parts
from palimpsest.agent.rivals import find_rival
from palimpsest.agent.sentences import Chosen, Sentence
from palimpsest.agent.state import Budget, Event, Form, ResearchState, SubQuestion, Tools
from palimpsest.retrieval.records import Table
from palimpsest.retrieval.types import Hit, Passage

from .lake import (
    CREW,
    MORE_SALT,
    QUESTION,
    SALT,
    WIND,
    NoTables,
    TopicReader,
    WholePassages,
    run,
    states,
)
from .test_lookups import table
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report


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
    monkeypatch.setattr(sections, "best_short", lambda *_: told)
    state = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    short = [b.text for b in quoting.quotations(state) if b.section == blocks.SHORT]
    assert short == [first.text, second.text]


def test_a_heading_is_of_what_stands_under_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Lifted pavements" stood over what speaks of shade: its own sentence had gone to what is said in short."""
    held = [SALT, MORE_SALT, passage("Old salt cargo was taxed on the lake.", "Old salt"), WIND, CREW]
    whole = finish(ResearchState(question=QUESTION), Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()))[1]
    heading = next(b for b in whole.draft.blocks if b.section == "section.1" and b.kind == "heading")
    named = next(b for b in quoting.quotations(whole) if heading.text.casefold() in b.text.casefold())
    every = [Chosen((Sentence(p, a, b, 1),), 0.9) for p in held for a, b in p.sentences]
    moved = [c for c in every if heading.text.casefold() in c.text.casefold()]
    assert named.text in [c.text for c in moved]
    monkeypatch.setattr(sections, "best_short", lambda *_: moved)
    state = run(TopicReader(), *held)
    for block in (b for b in state.draft.blocks if b.kind == "heading" and b.section in blocks.SECTIONS):
        under = [b.text.casefold() for b in quoting.quotations(state) if b.section == block.section]
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


def test_what_says_what_the_thing_is_stands_first() -> None:
    told = passage(
        "The hold of Marisa carries salt on the lake. Marisa is a barge that carries salt on the lake.", "Boats", "2024"
    )
    others = [passage(f"Salt cargo number {n} of the lake is sold in Orta.", f"Note {n}") for n in range(4)]
    tools = Tools(ScriptedWriter({}), Shelf(told, *others), NUMBERS, WholePassages())
    state = finish(ResearchState(question="How does Marisa carry salt on the lake?"), tools)[1]
    first = next(b for b in state.draft.section(blocks.SHORT) if b.kind == "quotation")
    assert first.text == "Marisa is a barge that carries salt on the lake."
    assert sum("Marisa is a barge" in b.text for b in quoting.quotations(state)) == 1
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

    places = [(Chosen((Sentence(both, a, b, 1),), 1.0),) for a, b in both.sentences]
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


class Tolls(NoTables):
    """A table that the search found no row of."""

    held = table("Cargo,Salt,Wind\nLake toll,30,12\nCrews,4,6", "Tolls")

    def tables(self, passages: Sequence[Passage]) -> list[Table]:
        return [self.held]


@pytest.mark.parametrize("attributes", [("lake toll",), ()])
def test_of_a_table_that_is_compared_by_what_is_asked_only_its_cells_stand(attributes: tuple[str, ...]) -> None:
    """ "Measure: Seconds per page; …" stood in short beside the table, in a comparison of error rates."""
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=attributes)
    state = finish(
        ResearchState(question="Compare salt and wind."),
        Tools(ScriptedWriter({}), Shelf(SALT, WIND), NUMBERS, reader, records=Tolls()),
    )[1]
    copied = [support for s in quoting.cells(state) for support in s.support]
    assert all(state.passage(support.passage) in Tolls.held.passages for support in copied), "they are held"
    assert len({p.id for p in state.evidence}) == len(state.evidence), "each once"
    rows = [Chosen((Sentence(p, a, b, 1),), 1.0) for p in (*Tolls.held.passages, SALT) for a, b in p.sentences]
    left = quoting.beside_cells(state, state.questions[0], rows)
    assert [c.text for c in left] == [SALT.text[a:b] for a, b in SALT.sentences]
    first = state.draft.replace([s.model_copy(update={"support": ()}) for s in quoting.cells(state) if s.id[-1] != "1"])
    left = quoting.beside_cells(state.model_copy(update={"draft": first}), state.questions[0], rows)
    assert any("Crews" in c.text for c in left) == (not attributes)


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
    *_, after = states(writing)
    assert after.draft.span("table.1.2").text == MORE_SALT.text


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
    assert quoting.quotations(state)


def test_with_a_reason_left_out_nothing_is_opened_for_it() -> None:
    reader = TopicReader(unwanted="Salt cargo fills")
    before = run(reader, SALT, WIND, CREW)
    grown = before.model_copy(update={"evidence": (*before.evidence, MORE_SALT)})
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader, reopens=frozenset({"contradicted"}))
    (after,) = states(sections.write(grown, tools, before.questions[0]))
    assert after.revisions == ()
    assert MORE_SALT.text in report(after)
    assert "Salt cargo fills most barges" in report(after)


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
    (after,) = states(sections.write(grown, tools, before.questions[0]))
    assert [(r.reason, r.new) for r in after.revisions] == [("unsure", "")]
    assert "sold badly" not in report(after)


def test_a_record_of_another_thing_is_no_rival() -> None:
    one = passage("The highest speed of the barge Marisa is 12 knots.", "A", "2024")
    other = passage("The highest speed of the barge Tolomeo is 15 knots.", "B", "2026")
    words = sentence_parts(one, 0, len(one.text))
    claim = blocks.quotation("c1", "section.1", words, one, "c1")
    assert find_rival(claim.words, other, NUMBERS) is None


def test_what_changed_is_told_in_the_order_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the year that a sentence tells of, or its source's; 1,950 barges are no year."""
    told = [
        ("The salt toll of the lake was dropped in 2019.", "2024"),
        ("The salt toll was paid by 1,950 barges in 1903.", None),
        ("Some 1,950 barges paid the salt toll.", "1880"),
        ("Nobody knows who asked for the salt toll.", None),
    ]
    held = [passage(text, f"Salt {n}", date) for n, (text, date) in enumerate(told)]
    monkeypatch.setattr(sections, "best_short", lambda *_: [])
    asked = "How has the salt trade on the lake changed since 1880?"
    state = finish(
        ResearchState(question=asked, budget=Budget()), Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader())
    )[1]
    shown = [b.text for b in quoting.quotations(state)]
    assert shown == [told[n][0] for n in (2, 1, 0, 3)]
