"""Places of a quotation that a person opened: filled from what is held, or the quotation falls and is listed."""

from __future__ import annotations

from palimpsest.agent.draft import moved
from palimpsest.agent.loop import amend
from palimpsest.agent.state import Filled

from .test_revision import BARGE, NEWER, PATTERNS, QUESTION, Silent, reopened, revised
from .world import ScriptedWriter, Shelf, finish, passage, report, research, tools


def test_a_place_filled_from_another_source_is_cited_to_it() -> None:
    """A person opens "12"; the words come from the second source, the citation behind them still says the first."""

    class Second(ScriptedWriter):
        def _fill(self, pieces, passages) -> list[Filled]:  # type: ignore[no-untyped-def]
            return super()._fill(pieces, [p for p in passages if p.id == NEWER.id])

    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12 knots" and s.hypothesis == "c1")
    held = before.model_copy(update={"evidence": (*before.evidence, NEWER), "read": (*before.read, f"c1/{NEWER.id}")})
    _, after = finish(amend(held, [], reopen=[place]), tools(Second(PATTERNS), Shelf()))
    assert place not in {s.id for s in after.draft.spans()}, "a quotation gives way whole"
    assert f"> {NEWER.text} [2]" in report(after)
    assert moved(before.draft, after.draft, reopened(after)) == []
    assert "**17** [2]" in report(after), "the answer that rests on the sentence follows it"


def test_a_quotation_whose_opened_place_nothing_fills_falls_and_is_listed() -> None:
    """design.md 1: what is open stays open and is shown as such; the report went on saying 12."""
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE))
    place = next(s.id for s in before.draft.spans() if s.text == "12 knots" and s.hypothesis == "c1")
    _, after = finish(amend(before, [], reopen=[place]), tools(Silent(PATTERNS), Shelf()))
    body, listed = report(after).split("## Not established")
    assert "**Not established**" in body
    assert "which reaches 12 knots" not in body
    assert f"- “{BARGE.text}”: nothing that is held fills what was opened in it." in listed
    later = revised(after, NEWER)
    assert f"> {NEWER.text} [2]" in report(later)
    assert moved(after.draft, later.draft, reopened(later)) == []


def test_a_quotation_opened_whole_stands_where_its_source_says_it_still() -> None:
    """The words between its names and figures were asked for too, nothing filled them, and a true sentence fell."""
    other = passage("Marisa reaches 12 knots, says the harbour book.", "Harbour book", "2024-02-01")
    _, before = research(QUESTION, ScriptedWriter(PATTERNS), Shelf(BARGE, other))
    assert before.draft.span("q2.standing").text == "two independent sources"
    _, after = finish(amend(before, [], reopen=["c1"]), tools(ScriptedWriter(PATTERNS), Shelf()))
    assert f"> {BARGE.text} [1]" in report(after)
    assert [r.reason for r in after.revisions][:1] == ["person"]
    assert after.draft.span("q2.standing").text == "two independent sources"
    assert moved(before.draft, after.draft, reopened(after)) == []
