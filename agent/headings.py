"""What follows where quotations of an open report changed: headings and *In short* are settled again."""

from __future__ import annotations

from . import balance, blocks, forms, outline
from .choosing import topics
from .dependents import fall, quoted_place
from .draft import Block, Span, Support
from .drafting import revised
from .in_short import IN_SHORT, is_brief
from .quoting import centre_of, centres_of, cited_passage, quotations
from .state import Event, Reader, ResearchState, Revision, Steps, SubQuestion, Tools
from .wording import leans


def follow(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """What rests on quotations that changed is settled again: headings whose words went with them."""
    if tools.reader is None or "dependent" not in tools.reopens:
        return state
    fallen = yield from fall(state, tools)
    state = _shortened(fallen) if fallen is not state else state
    state = yield from _folded(state, tools.reader)
    state = yield from balance.weigh_again(state, tools, question)
    for block in _orphaned(state, question):
        texts = [b.text for b in quotations(state) if b.section == block.section]
        if not texts:
            continue
        slot = next(s for s in block.spans if s.kind == "OUTLINE")
        centre = centre_of(tools.reader.vectors(texts))[None, :]
        taken = [s.text for b in _headings(state) if b.id != block.id for s in b.spans]
        asked = " ".join((question.text, *taken))
        (words,) = outline.headings(
            [texts], [[""] * len(texts)], centre, asked, tools.reader.vectors, tools.reader.wholeness
        )
        support = next((s for b in quotations(state) if b.section == block.section for s in _where(b, words)), None)
        if not words or support is None or words == slot.text:
            continue
        state = yield from _reword(state, slot, words, support)
    return state


def _shortened(state: ResearchState) -> ResearchState:
    """Where *In short* lost its statements, the first short one of each section that keeps enough without it moves there."""
    standing = quotations(state)
    count = sum(b.section == blocks.SHORT for b in standing)
    if state.version > 1 or count >= outline.PER_SECTION:
        return state
    for section in blocks.SECTIONS:
        held = [b for b in standing if b.section == section]
        brief = next((b for b in held if is_brief(b.text) and not leans(b.text)), None)
        if brief and len(held) > outline.PER_SECTION and count < IN_SHORT:
            moved = brief.model_copy(update={"section": blocks.SHORT})
            state = state.model_copy(update={"draft": state.draft.swap([brief.id], [])})
            state, count = blocks.put(state, [moved]), count + 1
    return state


def _folded(state: ResearchState, reader: Reader) -> Steps:
    """In a first version no heading is left over one quotation: that stands in the section it is nearest to, or where there is no
    other, in short. Sides stay apart.
    """
    for section in blocks.SECTIONS if state.version == 1 else ():
        held = [b for b in quotations(state) if b.section == section]
        sides = {b.section for b in _headings(state) if b.text in forms.SIDES.values()}
        centres = {n: centre for n, centre in centres_of(state, reader).items() if n != section and n not in sides}
        is_short = not sides and any(b.section == blocks.SHORT for b in quotations(state))
        if len(held) != 1 or section in sides or not (centres or is_short):
            continue
        (vector,) = reader.vectors([held[0].text])
        nearest = max(centres, key=lambda name: float(centres[name] @ vector), default=blocks.SHORT)
        named = [b for b in state.draft.section(section) if b.kind == "heading"]
        draft = state.draft.swap([b.id for b in (*named, *held)], [])
        moved = held[0].model_copy(update={"section": nearest})
        state = blocks.put(state.model_copy(update={"draft": draft}), [moved])
        why = f"one statement was left under “{''.join(b.text for b in named)}”; it stands with what is nearest to it"
        dropped = {"added": [], "dropped": [section], "why": why}
        yield Event(step="finish", kind="replanned", text=why, data=dropped)
    return state


def _headings(state: ResearchState) -> list[Block]:
    return [b for b in state.draft.blocks if b.kind == "heading" and b.section in blocks.SECTIONS]


def _orphaned(state: ResearchState, question: SubQuestion) -> list[Block]:
    """Headings whose words were taken from a quotation that stands in the report no more, and titles that nothing under them has; none
    that the question itself names.
    """
    standing = quotations(state)
    places = [quoted_place(b) for b in standing]
    titles = {b.id: outline.titles_of(cited_passage(state, b)) for b in standing}
    known = {title for passage in state.passages for title in outline.titles_of(passage)}
    known -= {outline.opened(topic) for topic in topics(question)}

    def is_orphan(block: Block, slot: Span) -> bool:
        own = {title for b in standing if b.section == block.section for title in titles[b.id]}
        if slot.status == "pinned" or slot.kind != "OUTLINE" or slot.text in own:
            return False
        return not any(_lies_in(slot.support[0], p) for p in places) if slot.support else slot.text in known

    return [b for b in _headings(state) if any(is_orphan(b, s) for s in b.spans)]


def _lies_in(support: Support, place: tuple[str, int, int]) -> bool:
    source, start, end = place
    return support.passage.rpartition("-")[0] == source and start <= support.start and support.end <= end


def _where(block: Block, words: str) -> list[Support]:
    """Where a quotation has these words, as support of a heading."""
    whole, at = block.span("citation"), outline.place_in(block.text, words)
    if whole is None or at < 0:
        return []
    cited = whole.support[0]
    start = cited.start + at
    quoted = block.text[at : at + len(words)]
    return [Support(passage=cited.passage, quote=quoted, start=start, end=start + len(words))]


def _reword(state: ResearchState, slot: Span, words: str, support: Support) -> Steps:
    yield Event(
        step="revise", kind="reopened", text=f"reopened the heading “{slot.text}”: what it was read in changed",
        data={"spans": [slot.id], "evidence": support.passage, "reason": "dependent"},
    )  # fmt: skip
    changed = slot.model_copy(update={"text": words, "support": (support,)})
    revision = Revision(
        version=state.version, span=slot.id, reopened=(slot.id,), old=slot.text, new=words, reason="dependent",
        evidence=support.passage, steps=1,
    )  # fmt: skip
    yield revised(revision, "revise")
    draft = state.draft.replace([changed])
    return state.model_copy(update={"draft": draft, "revisions": (*state.revisions, revision)})
