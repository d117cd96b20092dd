"""Places of sentences denoised again from what is held: those that a person opened, and with new evidence those still open."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.dlm_core.kinds import typed_spans
from palimpsest.retrieval.types import Passage

from . import blocks, prose, reopening
from .dependent_answers import answers_from, follow_answers, open_answers
from .draft import Block, Kind, Span, Support
from .drafting import list_open, refer, replace_quotation, revised
from .evidence_text import content, form, overlap, same_answer, sentence_at, slice_of, whole_figure, within_kind
from .hypotheses import Hypothesis
from .rivals import Rival, support_of
from .state import Candidate, Event, Events, Filled, Reason, ResearchState, Revision, Tools
from .watching import at


def refill(state: ResearchState, tools: Tools) -> Events:
    """Places that a person opened, and with new evidence those still open, are denoised from what is held on them."""
    for block in [b for b in state.draft.blocks if b.kind in ("quotation", "statement", "prose")]:
        waiting = ("open", "unestablished") if state.fresh else ("open",)
        holes = [n for n, s in enumerate(block.words) if s.status in waiting]
        if not holes:
            continue
        if block.kind == "quotation" and block.words[holes[0]].status == "open":
            state, block, holes = _only_typed(state, block, holes)
        if block.kind == "prose" and any(prose.is_written(block.words[n]) for n in holes):
            state = yield from prose.settle(state, tools, block)
            continue
        wanted = content(block.text)
        own = state.passage(state.graph.get(block.about).support[0].passage)
        others = sorted((p for p in state.firm if p.id != own.id), key=lambda p: -overlap(wanted, p.text))[:2]
        opened = any(block.words[n].status == "open" for n in holes)
        (filled,) = fill(tools, block, [holes], [own, *others], "person" if opened else "new evidence")
        state = yield from _settle(state, tools, block, holes, filled)
    return (yield from reopening.settle(state, tools))


def _only_typed(state: ResearchState, block: Block, holes: Sequence[int]) -> tuple[ResearchState, Block, list[int]]:
    """Of a quotation opened whole its names and figures are asked again; no source is asked for the words between them."""
    typed = [n for n in holes if block.words[n].kind != "TEXT"]
    if not typed:
        return state, block, list(holes)
    between = [block.words[n].model_copy(update={"status": "filled"}) for n in holes if n not in typed]
    state = state.model_copy(update={"draft": state.draft.replace(between)})
    after = state.draft.block(block.id)
    assert after is not None, "only a status changed"
    return state, after, typed


def _settle(state: ResearchState, tools: Tools, block: Block, holes: Sequence[int], filled: Sequence[Filled]) -> Events:
    """A quotation stands, gives way whole to the sentence in which its places were read, or falls; a statement's places change."""
    if any(s.status == "pinned" for s in block.spans):  # whole sentences change, and words of this one may not
        stays = [block.words[n].model_copy(update={"status": "filled"}) for n in holes]
        return state.model_copy(update={"draft": state.draft.replace(stays)})
    read = [f for f in filled if f.passage is not None]
    reason: Reason = "person" if any(block.words[n].status == "open" for n in holes) else "new evidence"
    if len(read) < len(filled):
        return (yield from _withdraw(state, block, reason))
    passage = state.passage(read[0].passage or "")
    start, end = sentence_at(passage, read[0].start, read[0].end)
    rival = Rival(passage, start, end, slice_of(passage, start, end).text, tuple(holes))
    standing = all(f.text == block.words[n].text for f, n in zip(filled, holes, strict=True))
    if standing:
        settled = [block.words[n].model_copy(update={"status": "filled"}) for n in holes]
        answers: dict[str, Hypothesis | None] = {}
        changed = state.model_copy(update={"draft": state.draft.replace(settled)})
        spans, old = tuple(block.words[n].id for n in holes), ", ".join(block.words[n].text for n in holes)
        new = old
    else:
        answers = answers_from(state, tools, block, rival)
        if any(answer is None for answer in answers.values()):
            return (yield from _withdraw(state, block, reason))
        changed = replace_words(state, block, rival, filled)
        after = changed.draft.block(block.id)
        assert after is not None, "a settled block stays"
        spans, old, new = tuple(s.id for s in block.spans), block.text, after.text
    changed, listed = blocks.take_back(changed, block.id)
    revision = Revision(
        version=state.version, span=block.words[holes[0]].id, reopened=(*spans, *listed), old=old, new=new,
        reason=reason, evidence=passage.id, after=min(f.probability for f in filled), steps=max(f.steps for f in filled),
    )  # fmt: skip
    yield revised(revision)
    changed = changed.model_copy(update={"revisions": (*changed.revisions, revision)})
    return (yield from follow_answers(changed, answers, tools.reopens))


def _withdraw(state: ResearchState, block: Block, reason: Reason) -> Events:
    """A quotation or statement whose opened places nothing fills falls, and is listed with the words that stood there."""
    if all(s.status == "unestablished" for s in block.words):
        return state
    fallen = [s.model_copy(update={"status": "unestablished"}) for s in block.spans]
    state = open_answers(state.model_copy(update={"draft": state.draft.replace(fallen)}), block)
    text = f"“{block.text}”: nothing that is held fills what was opened in it."
    yield Event(step="check", kind="unestablished", text=text, data={"block": block.id})
    revision = Revision(
        version=state.version, span=block.words[0].id, reopened=tuple(s.id for s in block.spans), old=block.text, new="",
        reason=reason, evidence=None,
    )  # fmt: skip
    state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    return list_open(state, block.id, text)


def fill(
    tools: Tools, block: Block, openings: Sequence[Sequence[int]], passages: Sequence[Passage], reason: str
) -> list[list[Filled]]:
    """What the model fills into places of a sentence, for each group that is opened together."""
    words = block.words
    pieces = [(s.text, s.kind) for s in words]
    writer = at(tools, block.id, [[words[n].id for n in holes] for holes in openings], reason)
    filled = writer.fill([(form(pieces, holes), passages) for holes in openings])
    held = {p.id: p for p in passages}
    return [
        [_whole(within_kind(f, words[n].kind), words[n].kind, held) for f, n in zip(fills, holes, strict=True)]
        for fills, holes in zip(filled, openings, strict=True)
    ]


def _whole(filled: Filled, kind: Kind, held: dict[str, Passage]) -> Filled:
    """What was filled into a figure's place with its unit: a place holds both, and they change together."""
    if filled.passage is None or kind != "NUMBER":
        return filled
    read = Candidate(
        text=filled.text, passage=filled.passage, start=filled.start, end=filled.end, probability=filled.probability
    )
    whole = whole_figure(read, held[filled.passage])
    return filled.model_copy(update={"text": whole.text, "start": whole.start, "end": whole.end})


def differs(filled: Filled, span: Span) -> bool:
    """Whether what was filled into a place is something else of its kind than what stands there."""
    if filled.passage is None or content(filled.text) == content(span.text):
        return False
    if same_answer(filled.text, span.text):
        return False  # "B200" beside "B200 GPU" is no other thing
    return any(kind.name == span.kind for _, _, kind in typed_spans(filled.text))


def replace_words(state: ResearchState, block: Block, rival: Rival, filled: Sequence[Filled]) -> ResearchState:
    """The state with the rival's whole sentence in the place of a quotation, or with the places of a statement filled so."""
    if block.kind == "quotation":
        return replace_quotation(state, block, rival.passage, rival.start, rival.end)
    return _fill_places(state, block, rival, filled) if filled else state


def _fill_places(state: ResearchState, block: Block, rival: Rival, filled: Sequence[Filled]) -> ResearchState:
    """A statement with its opened places filled from the rival's passage; it cites both sources, each for its own words."""
    state = refer(state, rival.passage)
    changed = [
        block.words[n].model_copy(
            update={
                "text": f.text,
                "status": "filled",
                "confidence": f.probability,
                "support": (Support(passage=rival.passage.id, quote=f.text, start=f.start, end=f.end),),
            }
        )
        for f, n in zip(filled, rival.holes, strict=True)
    ]
    cited = block.span("citation")
    if cited is not None:
        changed.append(cited.model_copy(update={"support": (support_of(rival), *cited.support)}))
    draft = state.draft.replace(changed)
    after = draft.block(block.id)
    assert after is not None, "a filled block stays"
    node = state.graph.get(block.about)
    node = node.model_copy(update={"text": after.text, "support": (support_of(rival), *node.support)})
    return state.model_copy(update={"draft": draft, "graph": state.graph.put(node)})
