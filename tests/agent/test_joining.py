"""Later versions of an open report: what was brought and what was banned."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.agent import (
    blocks,
    in_short,
    joining,
    missing,
    quoting,
)
from palimpsest.agent.draft import moved
from palimpsest.agent.loop import amend
from palimpsest.agent.sentences import Chosen
from palimpsest.agent.state import REASONS, Budget, Reason, ResearchState, Tools
from palimpsest.agent.steering import Steering
from palimpsest.retrieval.types import Hit

from .lake import (
    CREW,
    MORE_SALT,
    OPEN,
    QUESTION,
    SALT,
    WIND,
    TopicReader,
    run,
    sentences_with,
)
from .world import NUMBERS, ScriptedWriter, Shelf, finish, passage, report


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


def test_what_was_said_of_an_empty_cell_goes_when_it_is_filled() -> None:
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, reader)
    before = finish(ResearchState(question=QUESTION), tools)[1]
    assert "salt: no sentence was surely read on “Price”" in report(before)
    _, after = finish(amend(before, [MORE_SALT]), tools)
    assert after.draft.span("table.1.2").text == MORE_SALT.text
    assert "salt: no sentence was surely read on “Price”" not in report(after)
    assert "wind: no sentence was surely read on “Price”" in report(after)


def test_new_evidence_reopens_only_what_it_contradicts_in_an_open_report_too() -> None:
    fact = passage("The largest crew on Lake Orta is that of Marisa, with 4 men.", "Crews of 2024", "2024")
    newer = passage("The largest crew on Lake Orta is that of Marisa, with 9 men.", "Crews of 2026", "2026")
    reader = TopicReader()
    before = run(reader, fact, SALT, WIND)
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader)
    _, after = finish(amend(before, [newer]), tools)
    assert newer.text in report(after)
    assert moved(before.draft, after.draft, {s for r in after.revisions for s in r.reopened}) == []


def test_what_is_brought_joins_a_report_that_is_all_in_short() -> None:
    lone = passage("Marisa is a barge that carries salt on the lake.", "Boats", "2024")
    tools = Tools(ScriptedWriter({}), Shelf(lone), NUMBERS, TopicReader())
    before = finish(ResearchState(question="How does Marisa carry salt on the lake?"), tools)[1]
    assert {b.section for b in quoting.quotations(before)} == {blocks.SHORT}
    after = finish(amend(before, [SALT]), tools)[1]
    assert any("Salt cargo" in b.text for b in quoting.quotations(after))


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
    assert any("eels" in b.text for b in quoting.quotations(after))
    assert after.draft.block("nearest") is None
    assert after.revisions[-1].old == missing.BESIDE


def test_what_is_brought_later_stands_in_short_where_there_is_room() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, TopicReader())
    _, before = finish(ResearchState(question=QUESTION, budget=Budget()), tools)
    tax = passage("Salt cargo was taxed anew on the lake in May.", "Tax", "2026")

    def section_of(state: ResearchState) -> str:
        return next(b.section for b in quoting.quotations(state) if "taxed" in b.text)

    assert sum(b.section == blocks.SHORT for b in quoting.quotations(before)) < in_short.IN_SHORT
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
    assert "herring" in "".join(b.text for b in quoting.quotations(after))
    assert all("herring" not in b.text for b in after.draft.section("open"))
    gone = next(r for r in after.revisions if "nothing quoted here uses" in r.old)
    assert gone.reason == "dependent"
    assert not moved(before.draft, after.draft, [s for r in after.revisions for s in r.reopened])
    same = finish(amend(after, [], pin=(after.draft.section("section.1")[1].id,)), tools)[1]
    assert len(same.revisions) == len(after.revisions)


def test_what_nothing_speaks_of_is_said_ahead_until_something_does() -> None:
    class Naming(TopicReader):
        def is_near(self, words: str, texts: Sequence[str]) -> bool:
            return words.endswith("?") or any(words.casefold() in text.casefold() for text in texts)

    tools = Tools(ScriptedWriter({}), Shelf(SALT, WIND, CREW), NUMBERS, Naming())
    asked = ResearchState(question="What shapes the salt trade and the price of herring?", budget=Budget())
    _, before = finish(asked, tools)
    ahead = next(b for b in before.draft.section(blocks.SHORT) if b.kind != "heading")
    assert ahead.text == "No quotation here speaks of “price”, “herring”."
    fish = passage("The price of herring follows the salt crew.", "Herring", "2025")
    _, after = finish(amend(before, [fish]), tools)
    assert after.draft.block("silent") is None
    assert [r.reason for r in after.revisions if r.old == ahead.text] == ["dependent"]


def test_a_report_that_found_nothing_is_written_of_what_is_brought() -> None:
    tools = Tools(ScriptedWriter({}), Shelf(), NUMBERS, TopicReader())
    _, before = finish(ResearchState(question=QUESTION, budget=Budget()), tools)
    assert "Nothing that was found answers this" in report(before)
    _, after = finish(amend(before, [SALT, WIND, CREW]), tools)
    shown = report(after)
    assert "Nothing that was found answers this" not in shown.split("## What was revised")[0]
    assert {b.section for b in quoting.quotations(after)} & set(blocks.SECTIONS)
    assert not moved(before.draft, after.draft, [s for r in after.revisions for s in r.reopened])


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
    assert [b.text for b in quoting.quotations(after)] == [EEL.text]
    assert {r.reason for r in after.revisions if r.old in [b.text for b in quoting.quotations(before)]} == {"unsure"}
    kept = quoting.quotations(before)[0]
    pinned = finish(amend(before, [EEL], pin=(kept.id,)), tools)[1]
    assert kept.text in [b.text for b in quoting.quotations(pinned)]
    far = finish(amend(before, [MORE_SALT]), tools)[1]
    assert {b.text for b in quoting.quotations(before)} <= {b.text for b in quoting.quotations(far)}


def test_it_stays_where_what_is_unsure_may_not_be_opened() -> None:
    before, tools = beside("contradicted", "dependent")
    after = finish(amend(before, [EEL]), tools)[1]
    assert {b.text for b in quoting.quotations(before)} < {b.text for b in quoting.quotations(after)}


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
    said = [c.text for c in joining._short_of(bare, Near(), OPEN, pieces, [], [])]
    assert said == ["Salt cargo is white on the lake."]
    many = [
        sentences_with(passage(f"Salt cargo {n} pays well on the lake.", f"Salt {n}"), 2.0 - n / 10) for n in range(5)
    ]
    assert len(joining._short_of(bare, Near(), OPEN, many, [], [])) == in_short.FEW
    assert len(joining._short_of(bare, Near(), OPEN, many, many[:3], [])) == 1
    assert all(c not in many[:3] for c in joining._short_of(bare, Near(), OPEN, many, many[:3], []))


def test_a_comparison_that_found_nothing_gets_its_cells_from_what_is_brought() -> None:
    reader = TopicReader(things=("salt", "wind"), form="comparison", attributes=("lake", "price"))
    before = finish(
        ResearchState(question=QUESTION, budget=Budget()), Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader)
    )[1]
    after = finish(amend(before, [SALT, CREW]), Tools(ScriptedWriter({}), Shelf(), NUMBERS, reader))[1]
    shown = report(after)
    assert "▢" not in shown
    assert "wind: no source that was found says anything of it" in shown
