from __future__ import annotations

import pytest

from palimpsest.agent.draft import Block, Draft, Span, moved
from palimpsest.agent.hypotheses import Edge, Hypothesis, HypothesisGraph, Relation
from palimpsest.agent.numbers import log_odds


def draft() -> Draft:
    a = Span(id="a", text="A ", status="filled", hypothesis="h")
    b = Span(id="b", text="B ", status="filled", hypothesis="h", depends_on=("a",))
    c = Span(id="c", text="C", status="pinned", depends_on=("b",))
    first = Block(id="one", kind="statement", section="s1", spans=(a, b))
    return Draft(blocks=(first, Block(id="two", kind="statement", section="s2", spans=(c,))))


def text(found: Draft) -> str:
    return "".join(s.text for s in found.spans())


def block(name: str, section: str, words: str) -> Block:
    return Block(id=name, kind="statement", section=section, spans=(Span(id=f"{name}.0", text=words),))


def test_replace_changes_only_what_is_named_and_never_a_pinned_span() -> None:
    old = draft()
    new = old.replace([old.span("a").model_copy(update={"text": "X "}), old.span("c").model_copy(update={"text": "Y"})])
    assert text(new) == "X B C"
    assert new.span("b") is old.span("b")
    assert new.blocks[1] is old.blocks[1]


def test_a_person_marks_even_what_is_pinned() -> None:
    assert draft().mark("c", "open").span("c").status == "open"


def test_sections_take_their_place_in_the_order() -> None:
    new = draft().append(block("m", "middle", "M "), ("s1", "middle", "s2"))
    assert [b.id for b in new.blocks] == ["one", "m", "two"]
    more = new.append(block("n", "s1", "N "), ("s1", "middle", "s2"))
    assert [b.id for b in more.blocks] == ["one", "n", "m", "two"]


def test_swap_puts_new_blocks_where_the_old_stood() -> None:
    assert text(draft().swap(["one"], [block("n", "s1", "N "), block("o", "s1", "O ")])) == "N O C"
    assert text(draft().swap(["one", "two"], [])) == ""


def test_moved_finds_what_locality_forbids() -> None:
    old = draft()
    assert moved(old, old.append(block("new", "s1", "!")), []) == []
    changed = old.replace([old.span("a").model_copy(update={"text": "X"})])
    assert moved(old, changed, []) == ["a"]
    assert moved(old, changed, ["a"]) == []
    assert moved(old, old.swap(["one"], []), []) == ["a", "b"]
    assert moved(old, Draft(blocks=tuple(reversed(old.blocks))), []) != []


def test_a_block_that_is_shown_by_what_it_is_about_may_not_change_either() -> None:
    old = Draft(blocks=(Block(id="source.1", kind="source", section="sources", about="abc"),))
    new = Draft(blocks=(Block(id="source.1", kind="source", section="sources", about="def"),))
    assert moved(old, new, []) == ["source.1"]


def test_an_unknown_span_is_named() -> None:
    with pytest.raises(KeyError, match="nope"):
        draft().span("nope")


def test_an_edge_counts_once() -> None:
    node = Hypothesis(id="h", question="q", text="x", kind="answer", belief=0.0, support=())
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
