"""Headings and what stands in short, where quotations left."""

from __future__ import annotations

from collections import Counter

import pytest

from palimpsest.agent import (
    blocks,
    dependents,
    headings,
    in_short,
    outline,
    quoting,
)
from palimpsest.agent.dependents import withdraw
from palimpsest.agent.draft import Support, moved
from palimpsest.agent.state import Budget, ResearchState, Steps, Tools

from .lake import (
    CREW,
    MORE_SALT,
    QUESTION,
    SALT,
    WIND,
    TopicReader,
    run,
    states,
)
from .world import NUMBERS, ScriptedWriter, Shelf, drained, finish, passage


def test_in_short_that_lost_its_statements_takes_the_first_short_ones_of_full_sections() -> None:
    texts = [f"Salt cargo number {n} of the lake is sold by the ton in the old town of Orta." for n in range(5)]
    state = run(TopicReader(), *(passage(t, f"Note {n}") for n, t in enumerate(texts)), WIND, CREW)
    standing = {b.text for b in quoting.quotations(state)}
    short = [b.id for b in state.draft.section(blocks.SHORT)]
    emptied = state.model_copy(update={"draft": state.draft.swap(short, [])})
    left = quoting.quotations(emptied)
    after = headings._shortened(emptied)
    moved_up = [b for b in after.draft.section(blocks.SHORT) if b.kind == "quotation"]
    full = [s for s in blocks.SECTIONS if sum(b.section == s for b in left) > outline.PER_SECTION]
    assert full
    assert len(moved_up) == min(len(full), in_short.IN_SHORT)
    assert {b.text for b in quoting.quotations(after)} == {b.text for b in left} <= standing
    assert headings._shortened(after.model_copy(update={"version": 2})) == after.model_copy(update={"version": 2})


def test_a_heading_that_goes_with_the_last_quotation_under_it_is_among_the_reopened() -> None:
    before = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    after = before
    under = [b for b in quoting.quotations(before) if b.section == blocks.SECTIONS[0]]
    assert under
    for block in under:
        (after,) = states(withdraw(after, block, "dependent", "gone", "finish"))
    assert after.draft.section(blocks.SECTIONS[0]) == []
    opened = {s for r in after.revisions[len(before.revisions) :] for s in r.reopened}
    assert moved(before.draft, after.draft, opened) == []


def test_a_title_heads_no_section_in_which_nothing_stands_under_it() -> None:
    state = run(TopicReader(), SALT, MORE_SALT, WIND, CREW)
    heading, quoted = state.draft.section(blocks.SECTIONS[0])[:2]
    (slot,) = heading.spans
    own, away = quoting.source_title(state, quoted), passage("Elm is rare.", "Elm")
    state = state.model_copy(update={"withdrawn": (away,)})  # a person banned what it was the title of
    asked = state.questions[0]

    def is_orphan(text: str, **changed: object) -> bool:
        headed = slot.model_copy(update={"text": text, "support": (), **changed})
        held = state.model_copy(update={"draft": state.draft.replace([headed])})
        return [b.id for b in headings._orphaned(held, asked)] == [heading.id]

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


def test_no_heading_is_left_over_one_statement_but_of_a_side() -> None:
    state = run(TopicReader(), SALT, WIND, CREW)
    (left,) = [b for b in quoting.quotations(state) if b.section == "section.2"][:1]
    gone = [b.id for b in quoting.quotations(state) if b.section == "section.2" and b.id != left.id]
    thin = state.model_copy(update={"draft": state.draft.swap(gone, [])})
    events, after = drained(headings._folded(thin, TopicReader()))
    assert [e.kind for e in events] == ["replanned"]
    assert not after.draft.section("section.2")
    assert [b.section for b in quoting.quotations(after) if b.text == left.text] != ["section.2"]
    alone = [b.id for b in thin.draft.blocks if b.section in blocks.SECTIONS and b.section != "section.2"]
    single = thin.model_copy(update={"draft": thin.draft.swap(alone, [])})
    assert [b.section for b in quoting.quotations(drained(headings._folded(single, TopicReader()))[1])] == ["section.2"]
    short = blocks.put(single, [left.model_copy(update={"id": "c99", "section": blocks.SHORT})])
    both = [b.section for b in quoting.quotations(drained(headings._folded(short, TopicReader()))[1])]
    assert both == [blocks.SHORT, blocks.SHORT]
    side = next(b for b in thin.draft.blocks if b.id == "section.2.heading")
    named = side.model_copy(
        update={"spans": (side.spans[0].model_copy(update={"text": "Against, or without effect"}),)}
    )
    apart = thin.model_copy(update={"draft": thin.draft.swap([side.id], [named])})
    assert drained(headings._folded(apart, TopicReader()))[1] == apart
    later = thin.model_copy(update={"version": 2})
    assert drained(headings._folded(later, TopicReader()))[1] == later


def test_a_heading_over_one_statement_is_folded_in_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    held = [SALT, MORE_SALT, WIND, CREW]
    whole = finish(
        ResearchState(question=QUESTION, budget=Budget()),
        Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()),
    )[1]
    counts = Counter(b.section for b in quoting.quotations(whole) if b.section in blocks.SECTIONS)
    assert min(counts.values()) > 1

    def thin(state: ResearchState, tools: Tools) -> Steps:
        gone = [b.id for b in quoting.quotations(state) if b.section == "section.2"][1:]
        return state.model_copy(update={"draft": state.draft.swap(gone, [])})
        yield

    monkeypatch.setattr(headings, "fall", thin)
    left = finish(
        ResearchState(question=QUESTION, budget=Budget()),
        Tools(ScriptedWriter({}), Shelf(*held), NUMBERS, TopicReader()),
    )[1]
    assert not left.draft.section("section.2")
