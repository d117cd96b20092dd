"""A source that a person bans: nothing of it is read again, and what rested on it alone falls or is read in other sources."""

from __future__ import annotations

from . import blocks
from .draft import Block, Span, Support
from .drafting import replace_quotation, revised, slot_of
from .hypotheses import HypothesisGraph
from .state import Event, Events, ResearchState, Revision


def ban(state: ResearchState, source: str) -> Events:
    """Take a source, by its id, out of what a report rests on; where others say the same, they are quoted instead."""
    gone = tuple(p for p in state.evidence if p.source.id == source)
    if not gone:
        return state
    names = frozenset(p.id for p in gone)
    title = gone[0].source.title
    yield Event(
        step="steer", kind="banned", text=f"banned: {title}", data={"source": source, "passages": [p.id for p in gone]}
    )
    state = state.model_copy(
        update={
            "evidence": tuple(p for p in state.evidence if p.id not in names),
            "withdrawn": state.withdrawn + gone,
            "fresh": tuple(p for p in state.fresh if p not in names),
            "finds": tuple(f for f in state.finds if f.passage not in names),
            "graph": _without(state.graph, names),
        }
    )
    state = _open_answers(state, names)
    for block in state.draft.blocks:
        state = yield from _withdraw(state, block, names)
    return (yield from _drop_empty(state))


def _without(graph: HypothesisGraph, names: frozenset[str]) -> HypothesisGraph:
    """The graph without what these passages said: answers read in them are refuted, the belief that they gave is taken back."""
    lost: dict[str, float] = {}
    for edge in (e for e in graph.edges if e.source in names):
        lost[edge.target] = lost.get(edge.target, 0.0) + edge.weight
    kept = tuple(e for e in graph.edges if e.source not in names)
    nodes = []
    for node in graph.hypotheses:
        fallen = node.support[0].passage in names
        change = {"status": "refuted"} if fallen else {"belief": node.belief - lost.get(node.id, 0.0)}
        nodes.append(node.model_copy(update=change))
    return HypothesisGraph(hypotheses=tuple(nodes), edges=kept)


def _open_answers(state: ResearchState, names: frozenset[str]) -> ResearchState:
    """Answers that were read in banned passages are asked again of everything else that is held."""
    for question in state.facts:
        place = slot_of(state, question)
        if place.status != "filled" or not any(s.passage in names for s in place.support):
            continue
        read = tuple(r for r in state.read if not r.startswith(f"{question.id}/"))
        opened = state.draft.replace([place.model_copy(update={"status": "open"})])
        state = state.model_copy(update={"draft": opened, "read": read})
    return state


def _withdraw(state: ResearchState, block: Block, names: frozenset[str]) -> Events:
    """One block without the banned passages; what a person pinned or wrote stays."""
    if block.kind not in ("quotation", "statement", "prose", "table") or not _cites(block.spans, names):
        return state
    if block.kind == "table":
        return (yield from _empty_cells(state, block, names))
    cited = block.span("citation")
    if cited is None or any(s.status == "pinned" for s in block.spans):
        return state
    others = tuple(s for s in cited.support if s.passage not in names)
    if not block.about:  # what is said of the quotations is said anew of those that stay (`balance.weigh_again`)
        return state
    if not _cites(block.words, names):
        return (yield from _recite(state, block, cited, others))
    if not others:
        return (yield from _remove(state, block))
    first = others[0]
    changed = replace_quotation(state, block, state.passage(first.passage), first.start, first.end)
    after = changed.draft.block(block.id)
    assert after is not None, "a replaced block stays in its place"
    again = after.span("citation")
    assert again is not None, "every quotation cites"
    whole = again.model_copy(update={"support": (*again.support, *others[1:])})
    node = changed.graph.get(block.about).model_copy(update={"status": "held"})
    changed = changed.model_copy(update={"draft": changed.draft.replace([whole]), "graph": changed.graph.put(node)})
    gone = tuple(s.id for s in block.spans)
    return (yield from _revise(changed, block.spans[0].id, gone, block.text, after.text, first.passage))


def _cites(spans: tuple[Span, ...], names: frozenset[str]) -> bool:
    return any(s.passage in names for span in spans for s in span.support)


def _recite(state: ResearchState, block: Block, cited: Span, others: tuple[Support, ...]) -> Events:
    """The words are another source's: only the citation loses what was banned."""
    kept = state.draft.replace([cited.model_copy(update={"support": others})])
    state = state.model_copy(update={"draft": kept})
    return (yield from _revise(state, cited.id, (cited.id,), block.text, block.text, None))


def _remove(state: ResearchState, block: Block) -> Events:
    """Nobody else says it: the block goes, and what rested on it rests on nothing."""
    gone = {s.id for s in block.spans}
    draft = state.draft.swap([block.id], [])
    resting = [s for s in draft.spans() if gone & set(s.depends_on)]
    freed = [s.model_copy(update={"depends_on": tuple(d for d in s.depends_on if d not in gone)}) for s in resting]
    state = state.model_copy(update={"draft": draft.replace(freed)})
    return (
        yield from _revise(
            state, block.spans[0].id, tuple(s.id for s in block.spans), block.text, "", None, is_gone=True
        )
    )


def _empty_cells(state: ResearchState, block: Block, names: frozenset[str]) -> Events:
    """Cells of a table that only banned passages fill are empty; others keep what else supports them."""
    for span in (s for s in block.spans if s.status != "pinned" and _cites((s,), names)):
        others = tuple(s for s in span.support if s.passage not in names and s.quote == span.text)
        empty = {"text": "", "status": "unestablished", "confidence": None}
        now = span.model_copy(update={"support": others, **({} if others else empty)})
        state = state.model_copy(update={"draft": state.draft.replace([now])})
        state = yield from _revise(state, span.id, (span.id,), span.text, now.text, None)
    return state


def _drop_empty(state: ResearchState) -> Events:
    """A heading over nothing goes too."""
    for section in (blocks.SHORT, "findings", *blocks.SECTIONS):
        left = state.draft.section(section)
        if left and all(b.kind == "heading" for b in left):
            names = tuple(s.id for b in left for s in b.spans)
            state = state.model_copy(update={"draft": state.draft.swap([b.id for b in left], [])})
            state = yield from _revise(state, names[0], names, left[0].text, "", None, is_gone=True)
    return state


def _revise(
    state: ResearchState,
    span: str,
    opened: tuple[str, ...],
    old: str,
    new: str,
    evidence: str | None,
    is_gone: bool = False,
) -> Events:
    revision = Revision(
        version=state.version, span=span, reopened=opened, old=old, new=new, reason="ban", evidence=evidence, is_gone=is_gone
    )  # fmt: skip
    yield revised(revision, "steer")
    return state.model_copy(update={"revisions": (*state.revisions, revision)})
