"""The check: every claim is read again beside evidence that speaks of the same thing, and what is contradicted is opened."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.retrieval.copies import clusters
from palimpsest.retrieval.types import Cell, Passage

from . import blocks
from .dependent_answers import answers_from, follow_answers
from .dependents import apart, bared, quoted_place
from .draft import Block
from .drafting import quote_of, refer, revised, sentence_parts, slot_of, standing_quotation
from .evidence_text import says_the_same, sentence_at, sentences_within, slice_of
from .hypotheses import Edge, Hypothesis, Relation
from .refilling import differs, fill, refill, replace_words
from .rivals import Rival, find_rival, in_turn, measures_alike, same_subject, support_of, takes_precedence, why
from .standing import supporting
from .state import Conflict, Event, Events, Filled, ResearchState, Revision, Steps, SubQuestion, Tools
from .tabling import IN_RECORDS
from .watching import at
from .wording import leans

MOST_TURNS = 4  # times that one claim gives way in one check: the oldest of five sources that disagree
NOT_REOPENED = "Kept: what stood; here nothing is opened for a contradiction."


def check(state: ResearchState, tools: Tools) -> Steps:
    """Refill what a person opened, then hold every claim against evidence it has not been held against."""
    state = yield from refill(state, tools)
    done: set[str] = set()
    while waiting := [h.id for h in state.graph.hypotheses if h.kind == "claim" and h.id not in done]:
        claim = waiting[0]  # what stays of a quotation of which a part lost is a claim of its own, and held too
        done.add(claim)
        for _ in range(MOST_TURNS):
            stood = state.draft.block(claim)
            state = yield from _hold(state, tools, claim)
            if state.draft.block(claim) in (stood, None):
                break
            held = tuple(r for r in state.read if not r.startswith(f"{claim}/"))
            state = state.model_copy(update={"read": held})  # its new words were held against nothing yet
    return state


def _hold(state: ResearchState, tools: Tools, claim: str) -> Steps:
    """A claim against every passage that it was not held against."""
    seen = {r for r in state.read if r.startswith(f"{claim}/")}
    for passage in [p for p in state.evidence if f"{claim}/{p.id}" not in seen]:
        state = state.model_copy(update={"read": (*state.read, f"{claim}/{passage.id}")})
        state = yield from _hold_against(state, tools, state.graph.get(claim), passage)
        yield state
    return state


def _hold_against(state: ResearchState, tools: Tools, claim: Hypothesis, passage: Passage) -> Events:
    """Each sentence of a claim against a passage; the claim stands as long as no sentence of it is reopened."""
    block = state.draft.block(claim.id)
    own = state.passage(claim.support[0].passage)
    if block is None or own.source.id == passage.source.id:
        return state
    for sentence_block in _sentences(block, own):
        state = yield from _hold_sentence(state, tools, claim, block, sentence_block, passage)
        if state.draft.block(claim.id) != block:
            break
    return state


def _sentences(block: Block, own: Passage) -> list[Block]:
    """A quotation of several sentences as one block for each; a block of one sentence as it is."""
    cited = block.span("citation")
    if block.kind != "quotation" or cited is None:
        return [block]
    whole = cited.support[0]
    places = sentences_within(own, whole.start, whole.end)
    if len(places) < 2:
        return [block]
    turn = blocks.turn_of(block)
    return [blocks.quotation(block.id, block.section, sentence_parts(own, *p), own, block.about, turn) for p in places]


def _hold_sentence(
    state: ResearchState, tools: Tools, claim: Hypothesis, block: Block, sentence_block: Block, passage: Passage
) -> Events:
    own = state.passage(claim.support[0].passage)
    beside = _comparable(own, sentence_block, passage)
    rival = find_rival(sentence_block.words, beside, tools.numbers) if beside else None
    if rival is None:
        return state
    if not rival.holes:
        return _corroborate(state, claim, block, rival) if says_the_same(block.text, rival.text) else state
    if in_turn(sentence_block.words, own, rival) or not _disputed(
        tools, sentence_block, rival, _leaning_on(sentence_block, own)
    ):
        return state
    said = sentence_block.span("citation")
    rival = rival._replace(own=said.support[0] if said and sentence_block is not block else None)
    as_of = _question(state, claim).as_of
    if any(s.status == "pinned" for s in block.words):
        return (yield from _note(state, claim, rival, False, "Kept: words that a person pinned."))
    if not takes_precedence(state, own, passage, as_of):
        return (yield from _note(state, claim, rival, False, why(own, passage, as_of, taken=False)))
    if "contradicted" not in tools.reopens:
        return (yield from _note(state, claim, rival, False, NOT_REOPENED))
    return (yield from _revise_claim(state, tools, claim, block, sentence_block, rival))


def _comparable(own: Passage, block: Block, passage: Passage) -> Passage | None:
    """What of a passage may contradict a claim: of a row the row of the same name in another table, and no row of a sentence."""
    if own.kind not in IN_RECORDS:
        return None if passage.kind in IN_RECORDS else passage
    if passage.kind != own.kind or not passage.cells:
        return None
    cited = block.words[0].support[0]
    called = next((_cell(own, c) for c in own.cells if c.start >= cited.start), "")
    same = next((c for c in passage.cells if _cell(passage, c) == called), None)
    return slice_of(passage, *sentence_at(passage, same.start, same.end)) if same else None


def _cell(passage: Passage, cell: Cell) -> str:
    return passage.text[cell.start - passage.start : cell.end - passage.start]


def _question(state: ResearchState, claim: Hypothesis) -> SubQuestion:
    return next(q for q in state.questions if q.id == claim.question)


def _leaning_on(block: Block, own: Passage) -> str:
    """What stands before a sentence that begins with "its" or "this", and the title of its source; "" where it needs neither."""
    start = min((s.start for w in block.words for s in w.support if s.passage == own.id), default=own.start)
    return f"{own.source.title}. {own.text[: start - own.start]}" if leans(block.text) else ""


def _disputed(tools: Tools, block: Block, rival: Rival, leaning_on: str = "") -> bool:
    """Whether the model, asked to fill the differing places from the rival sentence, reads other words there."""
    shown, words = slice_of(rival.passage, rival.start, rival.end), block.words
    fills = fill(tools, block, [[n] for n in rival.holes], [shown], "contradicted")
    read = [
        f
        for (f,), n in zip(fills, rival.holes, strict=True)
        if differs(f, words[n])
        and measures_alike(words, n, rival.text, f.text)
        and same_subject(words, n, rival.text, f.text, tools.numbers, leaning_on)
    ]
    if not read or max(f.probability for f in read) < tools.numbers.disputed:
        return False
    writer = at(tools, block.id, [[f"{block.id}.verdict"]], "verdict")
    verdict = writer.verdicts([(block.text, rival.text)])[0]
    return verdict.supports < tools.numbers.supported


def _corroborate(state: ResearchState, claim: Hypothesis, block: Block, rival: Rival) -> ResearchState:
    """Another independent source says the same: it counts, and until the report is out it is cited too."""
    corroborating = [state.passage(p) for p in supporting(state, claim)]
    number = clusters([*corroborating, rival.passage])
    if number[rival.passage.id] in {number[p.id] for p in corroborating}:
        return state
    edge = Edge(source=rival.passage.id, relation=Relation.SUPPORTS, target=claim.id)
    state = state.model_copy(update={"graph": state.graph.link(edge)})
    cited = block.span("citation")
    if state.version > 1 or cited is None:
        return state
    more = cited.model_copy(update={"support": (*cited.support, support_of(rival))})
    return refer(state, rival.passage).model_copy(update={"draft": state.draft.replace([more])})


def _note(state: ResearchState, claim: Hypothesis, rival: Rival, taken: bool, reason: str) -> Events:
    """Keep the disagreement itself: it is shown in the report, whoever wins."""
    own, other = rival.own or claim.support[0], support_of(rival)
    kept, lost = (other, own) if taken else (own, other)
    known = {frozenset((c.kept.quote, c.other.quote)) for c in state.conflicts}
    edge = Edge(source=rival.passage.id, relation=Relation.REFUTES, target=claim.id)
    state = refer(state.model_copy(update={"graph": state.graph.link(edge)}), state.passage(own.passage))
    state = refer(state, rival.passage)
    if frozenset((own.quote, other.quote)) in known:
        return state
    number = len(state.conflicts) + 1
    conflict = Conflict(id=f"conflict.{number}", hypothesis=claim.id, kept=kept, other=lost, reason=reason)
    names = f"{blocks.named(state.passage(own.passage))} against {blocks.named(rival.passage)}"
    yield Event(
        step="check",
        kind="conflict",
        text=f"{names}: “{own.quote}” / “{rival.text}”",
        data=conflict.model_dump(mode="json"),
    )
    return state.model_copy(update={"conflicts": (*state.conflicts, conflict)})


def _revise_claim(
    state: ResearchState, tools: Tools, claim: Hypothesis, block: Block, sentence_block: Block, rival: Rival
) -> Events:
    """Open what is contradicted and settle it from the rival sentence: a sentence of a quotation whole, a statement in its places.

    Nothing changes when the rival sentence does not answer a question that rests on the claim, or supports the new words less.
    """
    if block.kind == "quotation" and (other := standing_quotation(state, support_of(rival), block)):
        return (yield from _yield_to(state, tools, claim, block, sentence_block, rival, other))
    answers = answers_from(state, tools, block, rival)
    if any(answer is None for answer in answers.values()):
        return (
            yield from _note(
                state, claim, rival, False, "Kept: what stood; the other sentence does not answer the question."
            )
        )
    opened = (
        [sentence_block.words[n].id for n in rival.holes] if block.kind != "quotation" else [s.id for s in block.spans]
    )
    places = ", ".join(f"“{sentence_block.words[n].text}”" for n in rival.holes)
    yield Event(
        step="check",
        kind="reopened",
        text=f"reopened {places}: contradicted by {blocks.named(rival.passage)}",
        data={"spans": opened, "evidence": rival.passage.id, "reason": "contradicted"},
    )
    filled = [] if block.kind == "quotation" else _refilled(tools, block, rival)
    parted, part = _parted(state, block, sentence_block)
    changed = replace_words(parted, part, rival, filled)
    after = changed.draft.block(block.id)
    assert after is not None, "a changed block stays"
    writer = at(tools, block.id, [[f"{block.id}.verdict"]] * 2, "verdict")
    before, now = (v.supports for v in writer.verdicts([(part.text, rival.text), (after.text, rival.text)]))
    if now < before or (block.kind != "quotation" and not filled):
        yield Event(
            step="check",
            kind="rolled back",
            text=f"rolled back “{after.text}”: the evidence supports it less than what stood",
            data={"claim": claim.id, "before": before, "after": now},
        )
        return (
            yield from _note(state, claim, rival, False, "Kept: what stood; its source supports the other words less.")
        )
    own, as_of = state.passage(claim.support[0].passage), _question(state, claim).as_of
    noted = yield from _note(parted, claim, rival, True, why(own, rival.passage, as_of, taken=True))
    changed = replace_words(noted, part, rival, filled)
    revisions = _revisions(block, part, rival, filled, state.version, before, now)
    for revision in revisions:
        yield revised(revision)
    changed = changed.model_copy(update={"revisions": (*changed.revisions, *revisions)})
    return (yield from follow_answers(changed, answers, tools.reopens))


def _yield_to(
    state: ResearchState,
    tools: Tools,
    claim: Hypothesis,
    block: Block,
    sentence_block: Block,
    rival: Rival,
    other: Block,
) -> Events:
    """A contradicted quotation goes where the sentence that contradicts it stands in the report already.

    An answer that rests on it is read in the other sentence; where that one gives none, both stay.
    """
    answers = answers_from(state, tools, block, rival)
    if any(answer is None for answer in answers.values()) or _rests_pinned(state, block):
        reason = "Kept: what an answer rests on; the other stands in the report too."
        return (yield from _note(state, claim, rival, False, reason))
    own, as_of = state.passage(claim.support[0].passage), _question(state, claim).as_of
    state = yield from _note(state, claim, rival, True, why(own, rival.passage, as_of, taken=True))
    state, part = _parted(state, block, sentence_block)
    bare = bared(state, part)
    spans = tuple(s.id for b in (block, *bare) for s in b.spans)
    yield Event(
        step="check", kind="reopened", text=f"reopened “{part.text}”: contradicted by {blocks.named(rival.passage)}",
        data={"spans": list(spans), "evidence": rival.passage.id, "reason": "contradicted"},
    )  # fmt: skip
    revision = Revision(
        version=state.version, span=spans[0], reopened=spans, old=part.text, new=other.text, reason="contradicted",
        evidence=rival.passage.id, steps=0,
    )  # fmt: skip
    yield revised(revision)
    state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    state = yield from follow_answers(state, answers, tools.reopens)
    return state.model_copy(update={"draft": state.draft.swap([block.id, *(b.id for b in bare)], [])})


def _parted(state: ResearchState, block: Block, sentence_block: Block) -> tuple[ResearchState, Block]:
    """A quotation with the contradicted one of its sentences apart, so that the others stay; a block of one, and one that an answer
    rests on, as it is.
    """
    resting = {name for q in state.facts for name in slot_of(state, q).depends_on} & {s.id for s in block.spans}
    if block.kind != "quotation" or sentence_block is block or resting:
        return state, block
    return apart(state, block, quoted_place(sentence_block))


def _rests_pinned(state: ResearchState, block: Block) -> bool:
    """Whether an answer that a person pinned rests on a quotation."""
    resting = [q for q in state.facts if (quoted := quote_of(state, q)) and quoted.id == block.id]
    return any(slot_of(state, q).status == "pinned" for q in resting)


def _refilled(tools: Tools, block: Block, rival: Rival) -> list[Filled]:
    """The contradicted places denoised together, or one by one where together fails; empty when some place cannot be filled."""
    shown, words = slice_of(rival.passage, rival.start, rival.end), block.words
    together, *alone = fill(tools, block, [rival.holes, *([n] for n in rival.holes)], [shown], "contradicted")
    for filled in (together, [f[0] for f in alone]):
        texts = {f.text for f in filled}
        if len(texts) == len(filled) and all(differs(f, words[n]) for f, n in zip(filled, rival.holes, strict=True)):
            return filled
    return []


def _revisions(
    block: Block, part: Block, rival: Rival, filled: Sequence[Filled], version: int, before: float, after: float
) -> list[Revision]:
    """One entry for the replaced part of a quotation, all of which was opened, or one for each place of a statement filled."""

    def entry(span: str, reopened: tuple[str, ...], old: str, new: str, steps: int) -> Revision:
        return Revision(
            version=version, span=span, reopened=reopened, old=old, new=new, reason="contradicted",
            evidence=rival.passage.id, before=before, after=after, steps=steps,
        )  # fmt: skip

    if block.kind == "quotation":
        return [entry(block.spans[0].id, tuple(s.id for s in block.spans), part.text, rival.text, 1)]
    cited = tuple(s.id for s in block.spans if s.role == "citation")
    places = [(block.words[n], f) for n, f in zip(rival.holes, filled, strict=True)]
    return [entry(place.id, (place.id, *cited), place.text, f.text, f.steps) for place, f in places]
