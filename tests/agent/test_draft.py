from __future__ import annotations

import pytest

from palimpsest.agent.draft import Draft, Section, Span, moved
from palimpsest.agent.hypotheses import Edge, Hypothesis, HypothesisGraph, Relation, log_odds


def draft() -> Draft:
    a = Span(id="a", text="A ", status="filled", hypothesis="h")
    b = Span(id="b", text="B ", status="filled", hypothesis="h", depends_on=("a",))
    c = Span(id="c", text="C", status="pinned", depends_on=("b",))
    return Draft(sections=(Section(id="one", spans=(a, b)), Section(id="two", spans=(c,))))


def test_replace_changes_only_what_is_named_and_never_a_pinned_span() -> None:
    old = draft()
    new = old.replace([old.span("a").model_copy(update={"text": "X "}), old.span("c").model_copy(update={"text": "Y"})])
    assert new.text == "X B C"
    assert new.span("b") is old.span("b")


def test_dependents_follow_to_the_end() -> None:
    assert draft().dependents(["a"]) == ["b", "c"]
    assert draft().dependents(["c"]) == []


def test_sections_take_their_place_in_the_order() -> None:
    new = draft().append("middle", [Span(id="m", text="M ")], ("one", "middle", "two"))
    assert [s.id for s in new.sections] == ["one", "middle", "two"]
    assert new.append("middle", [], ("one",)) is new


def test_swap_puts_new_spans_where_the_old_stood() -> None:
    assert draft().swap(["b"], [Span(id="n", text="N "), Span(id="o", text="O ")]).text == "A N O C"
    assert draft().swap(["a", "b"], []).text == "C"


def test_moved_finds_what_locality_forbids() -> None:
    old = draft()
    assert moved(old, old.append("one", [Span(id="new", text="!")]), []) == []
    changed = old.replace([old.span("a").model_copy(update={"text": "X"})])
    assert moved(old, changed, []) == ["a"]
    assert moved(old, changed, ["a"]) == []
    assert moved(old, old.swap(["b"], []), []) == ["b"]
    assert moved(old, Draft(sections=tuple(reversed(old.sections))), []) != []


def test_an_unknown_span_is_named() -> None:
    with pytest.raises(KeyError, match="nope"):
        draft().span("nope")


def test_an_edge_counts_once() -> None:
    node = Hypothesis(id="h", question="q", text="x", kind="claim", belief=0.0, support=())
    edge = Edge(source="p", relation=Relation.SUPPORTS, target="h", weight=1.0)
    graph = HypothesisGraph().put(node).link(edge, edge).link(edge)
    assert graph.get("h").belief == 1.0
    assert len(graph.edges) == 1
    assert 0.7 < graph.get("h").probability < 0.75


def test_rivals_are_sorted_by_belief_and_log_odds_are_bounded() -> None:
    nodes = [Hypothesis(id=f"h{n}", question="q", text=str(n), kind="answer", belief=n, support=()) for n in (1, 3, 2)]
    assert [h.id for h in HypothesisGraph().put(*nodes).answers("q")] == ["h3", "h2", "h1"]
    assert log_odds(1.0) == pytest.approx(-log_odds(0.0))
    assert log_odds(1.0) < 5
