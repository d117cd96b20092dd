"""What goes on from a sentence that lost to another source goes with it: "The speed was measured …" says nothing without its speed.

In one paragraph of a source the sentences behind a lost one speak of what it said, up to one that opens with a name and leans on
nothing: that one says of whom it speaks. What stands ahead of the lost one stays, and so does what stands by itself behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

import regex  # type: ignore[import-untyped]

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage

from . import blocks
from .draft import Block, Support
from .drafting import quote, revised, sentence_parts, slot_of
from .evidence_text import says_the_same, sentences_within
from .sentences import Chosen, Sentence, Where, place_of, shares_words
from .state import Event, Events, Reason, ResearchState, Revision, Tools
from .wording import leans

LOST = "what it goes on from lost to another source"


def _with_the_same(part: Block, whole: Block) -> Block:
    """A part of a quotation with those other sources of the whole that say the same as it."""
    cited, own = whole.span("citation"), part.span("citation")
    assert cited is not None, "every quotation cites"
    assert own is not None, "and so does a part of one"
    same = tuple(s for s in cited.support[1:] if says_the_same(part.text, s.quote))
    changed = own.model_copy(update={"support": (*own.support, *same)})
    return part.model_copy(update={"spans": tuple(changed if s.id == own.id else s for s in part.spans)})


def standing_without(state: ResearchState, chosen: Sequence[Chosen]) -> list[Chosen]:
    """The quotations as far as they neither are nor go on from what lost a conflict."""
    lost = _lost(state)
    return [part for piece in chosen for part in _parts(state, piece, lost)]


def _parts(state: ResearchState, piece: Chosen, lost: Sequence[Where]) -> list[Chosen]:
    """What stands of a quotation: itself, or the runs of its sentences that neither lost nor go on from what did."""
    runs: list[list[Sentence]] = [[]]
    gone = list(lost)
    for sentence in piece.sentences:
        if _is_of(state, place_of(sentence), gone):
            gone.append(place_of(sentence))
            runs.append([])
        else:
            runs[-1].append(sentence)
    kept = [tuple(run) for run in runs if run]
    return [piece] if kept == [piece.sentences] else [Chosen(run, piece.score) for run in kept]


def apart(state: ResearchState, block: Block, place: Where) -> tuple[ResearchState, Block]:
    """A quotation of several sentences with the one at `place` apart, and the block that holds it and what goes on from it.

    What stands ahead of these and behind them stays in the draft as quotations of its own.
    """
    own = state.passage(quotation_of(block).passage)
    _, first, last = quoted_place(block)
    inside = sentences_within(own, first, last)
    ahead = [p for p in inside if p[1] <= place[1]]
    gone, behind = [p for p in inside if p[1] > place[1]], list[tuple[int, int]]()
    for n, (start, end) in enumerate(gone):
        if start >= place[2] and not _goes_on(state, (place[0], start, end), [(place[0], *gone[n - 1])]):
            gone, behind = gone[:n], gone[n:]
            break
    if not gone or not (ahead or behind):
        return state, block
    parts = [(run[0][0], run[-1][1]) for run in (ahead, behind) if run]
    drafts: list[Block] = []
    for start, end in parts:
        state, claim = quote(state, block.section, state.graph.get(block.about).question, own, start, end)
        made = state.draft.block(claim.id)
        assert made is not None, "it was put there just now"
        drafts.append(_with_the_same(made, block))
    words = sentence_parts(own, gone[0][0], gone[-1][1])
    lost = blocks.quotation(block.id, block.section, words, own, block.about, blocks.turn_of(block))
    around = [*drafts[: bool(ahead)], lost, *drafts[bool(ahead) :]]
    draft = state.draft.swap([b.id for b in drafts], []).swap([block.id], around)
    return state.model_copy(update={"draft": draft}), lost


def fall(state: ResearchState, tools: Tools) -> Events:
    """Quotations of an open report that go on from what lost leave it, and a heading that nothing is left under."""
    if "dependent" not in tools.reopens:
        return state
    lost = _lost(state)
    for block in sorted(_quotations(state), key=quoted_place):
        if _goes_on(state, quoted_place(block), lost) and not _is_held(state, block):
            state = yield from withdraw(state, block, "dependent", LOST, "finish")
            lost = [*lost, quoted_place(block)]
    return state


def _lost(state: ResearchState) -> list[Where]:
    """The places that lost a conflict, without those that stand all the same, because nothing decided."""
    standing = [quoted_place(b) for b in state.draft.blocks if b.kind == "quotation"]
    lost = [where(c.other) for c in state.conflicts]
    return [place for place in lost if not any(shares_words(place, other) for other in standing)]


def where(support: Support) -> Where:
    """The place of a support in its source."""
    return support.passage.rpartition("-")[0], support.start, support.end


def quotation_of(block: Block) -> Support:
    """The words of its source that a quotation holds."""
    cited = block.span("citation")
    assert cited is not None, "every quotation cites"
    return cited.support[0]


def quoted_place(block: Block) -> Where:
    """The place that a quotation cites."""
    return where(quotation_of(block))


def _is_of(state: ResearchState, place: Where, lost: Sequence[Where]) -> bool:
    return any(shares_words(place, gone) for gone in lost) or _goes_on(state, place, lost)


def _goes_on(state: ResearchState, place: Where, lost: Sequence[Where]) -> bool:
    """Whether words stand directly behind lost ones, in the same paragraph, and do not open with a name and stand alone."""
    behind = [g for g in lost if g[0] == place[0] and g[2] <= place[1] and _joins(state, place[0], g[2], place[1])]
    return bool(behind) and not _stands_alone(state, place)


def _stands_alone(state: ResearchState, place: Where) -> bool:
    """Whether words name their own subject, and no "this record" of theirs is one that was named before."""
    own = next(
        (p for p in state.evidence if p.source.id == place[0] and p.start <= place[1] and place[2] <= p.end), None
    )
    if own is None:
        return False
    text = own.text[place[1] - own.start : place[2] - own.start]
    return _opens_with_a_name(own, text) and not leans(text)


def _opens_with_a_name(own: Passage, text: str) -> bool:
    """Whether a text of a passage does; a capital that only opens the sentence makes no name, unless it is one elsewhere."""
    head = len(text) - len(text.removeprefix("The "))
    name = next((text[s:e] for s, e, kind in typed_spans(text) if kind is MaskKind.ENTITY and s == head), "")
    is_plain = name.isalpha() and name[1:].islower() and head == 0
    elsewhere = f"{own.source.title}. {own.text}"
    return bool(name) and (not is_plain or regex.search(rf"[\w,;] {regex.escape(name)}\b", elsewhere) is not None)


def _joins(state: ResearchState, source: str, start: int, end: int) -> bool:
    """Whether nothing but blanks, and no end of a paragraph, lies between two places of a source."""
    held = [p for p in state.evidence if p.source.id == source and p.start <= start and end <= p.end]
    between = [p.text[start - p.start : end - p.start] for p in held]
    return any(not b.strip() and b.count("\n") < 2 for b in between)


def _quotations(state: ResearchState) -> list[Block]:
    """Quotations that no answer stands over."""
    needed = rested_on(state)
    return [b for b in state.draft.blocks if b.kind == "quotation" and not needed & {s.id for s in b.spans}]


def rested_on(state: ResearchState) -> set[str]:
    """The spans that answers rest on."""
    return {name for q in state.facts for name in slot_of(state, q).depends_on}


def _is_held(state: ResearchState, block: Block) -> bool:
    """Whether a person pinned words of a quotation, or opened it: what a person does stays a person's."""
    return any(s.status != "filled" for s in block.spans if s.role != "citation")


def bared(state: ResearchState, block: Block) -> list[Block]:
    """The headings that nothing stands under without a block; one that a person pinned stays."""
    left = [b for b in state.draft.section(block.section) if b.id != block.id]
    if any(b.kind != "heading" or any(s.status == "pinned" for s in b.spans) for b in left):
        return []
    return left


def withdraw(state: ResearchState, block: Block, reason: Reason, why: str, step: str) -> Events:
    """A quotation leaves the report, with its section's heading where nothing else stands under it; `why` is said of it."""
    gone = [block, *bared(state, block)]
    spans = tuple(s.id for b in gone for s in b.spans)
    yield Event(
        step=step, kind="reopened", text=f"reopened “{block.text}”: {why}",
        data={"spans": list(spans), "evidence": None, "reason": reason},
    )  # fmt: skip
    revision = Revision(
        version=state.version, span=spans[0], reopened=spans, old=block.text, new="", reason=reason, evidence=None,
        is_gone=True,
    )  # fmt: skip
    yield revised(revision, step)
    draft = state.draft.swap([b.id for b in gone], [])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})


def said_anew(state: ResearchState, block: Block, fresh: Block | None) -> Events:
    """What the program itself says in a block is said as it is now, or no more, nor a heading that is left over nothing."""
    gone = [block] if fresh else [block, *bared(state, block)]
    spans = tuple(s.id for b in gone for s in b.spans)
    revision = Revision(
        version=state.version, span=spans[0], reopened=spans, old=block.text, new=fresh.text if fresh else "",
        reason="dependent", evidence=None, is_gone=fresh is None,
    )  # fmt: skip
    yield revised(revision, "finish")
    draft = state.draft.swap([b.id for b in gone], [fresh] if fresh else [])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})
