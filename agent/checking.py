"""The check: every claim is read again beside evidence that speaks of the same thing, and what is contradicted is opened."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import NamedTuple

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage

from . import report
from .draft import Span, Support
from .drafting import (
    ONE_SOURCE,
    believed_answers,
    place_of,
    put_answer,
    quote_of,
    refer,
    replace_claim,
    revised,
)
from .forms import (
    clusters,
    content,
    form,
    is_superlative,
    overlap,
    resolved,
    sentence_at,
    sentences,
    slice_of,
    within_kind,
    without_lead,
)
from .hypotheses import Edge, Hypothesis, Relation, log_odds
from .state import Conflict, Event, Filled, ResearchState, Revision, SubQuestion, Tools
from .steps import astray, verdict_edge

ALIGNED = 0.6  # the share of a claim's words that a sentence must hold to speak of the same thing
DISPUTED = 0.3  # the least probability with which other words are read in a claim's hole
SUBJECT = 0.65  # the share of words that two statements about one thing have in common ahead of what differs
SWAP = 3  # places that differ beyond which the whole sentence is reopened


class Rival(NamedTuple):
    """A sentence of other evidence that says something else in the places `holes` (indices of the claim's words)."""

    passage: Passage
    start: int
    end: int
    text: str
    holes: tuple[int, ...]


def check(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """Refill what a person opened, then hold every claim against evidence it has not been held against."""
    state = yield from _refill(state, tools)
    for claim in [h for h in state.graph.hypotheses if h.kind == "claim"]:
        seen = {r for r in state.read if r.startswith(f"{claim.id}/")}
        for passage in [p for p in state.evidence if f"{claim.id}/{p.id}" not in seen]:
            state = state.model_copy(update={"read": (*state.read, f"{claim.id}/{passage.id}")})
            state = yield from _hold_against(state, tools, state.graph.get(claim.id), passage)
    return state


def _hold_against(
    state: ResearchState, tools: Tools, claim: Hypothesis, passage: Passage
) -> Generator[Event, None, ResearchState]:
    words = report.words_of(state.draft, claim.id)
    own = state.passage(claim.support[0].passage)
    if not words or own.source.id == passage.source.id:
        return state
    rival = find_rival(words, passage)
    if rival is None:
        return state
    if not rival.holes:
        return _corroborate(state, claim, passage)
    if not _disputed(tools, words, rival):
        return state
    if any(s.status == "pinned" for s in words):
        return (yield from _note(state, claim, rival, False, "Kept: words that a person pinned."))
    if not supersedes(state, own, passage):
        return (yield from _note(state, claim, rival, False, _why_kept(own, passage)))
    return (yield from _revise_claim(state, tools, claim, rival))


def find_rival(words: Sequence[Span], passage: Passage) -> Rival | None:
    """The passage's sentence that speaks of the claim's subject, and the places in which it differs; None when none does.

    Figures may differ when the names agree; one name may differ when another agrees; more only when both sentences claim a place
    that one thing alone can hold ("the fastest ...").
    """
    wanted = content("".join(s.text for s in words if not place_of(s)))
    names = {s.text.lower() for s in words if s.kind == "ENTITY"}
    if len(wanted) < 2:
        return None
    ranked = sorted(sentences(passage.text), key=lambda s: -overlap(wanted, passage.text[s[0] : s[1]]))
    for start, end in ranked[:2]:
        text = passage.text[start:end]
        if overlap(wanted, text) < ALIGNED:
            return None
        holes = tuple(n for n, s in enumerate(words) if place_of(s) and not _stands(s.text, text))
        figures = [n for n in holes if words[n].kind == "NUMBER"]
        differing = [n for n in holes if words[n].kind == "ENTITY"]
        first = next((n for n, s in enumerate(words) if place_of(s)), None)
        unique = is_superlative("".join(s.text for s in words)) and is_superlative(text)
        shared = len(names) - len({words[n].text.lower() for n in differing})
        one_name = len(differing) == 1 and shared and not figures and first not in differing
        if unique or not differing or one_name:
            return Rival(passage, passage.start + start, passage.start + end, text, holes)
    return None


def same_subject(words: Sequence[Span], hole: int, text: str, value: str) -> bool:
    """Whether claim and sentence say the same things ahead of the place in which they differ (behind it, when it comes first)."""
    at = text.find(value)
    before, behind = content("".join(s.text for s in words[:hole])), content("".join(s.text for s in words[hole + 1 :]))
    ours, theirs = (before, content(text[:at])) if before else (behind, content(text[at + len(value) :]))
    return len(ours & theirs) >= SUBJECT * len(ours | theirs)


def _stands(words: str, text: str) -> bool:
    """Whether a text says these words, and not a longer figure that begins or ends with them: 12 is not 12,000, nor 12 million."""
    found = re.finditer(rf"(?<![\w.])(?<!\d,){re.escape(words)}(?!\w)(?![.,]\d)", text, re.IGNORECASE)
    figures = {start: end for start, end, kind in typed_spans(text) if kind is MaskKind.NUMBER}
    return any(figures.get(m.start(), m.end()) <= m.end() for m in found)


def _disputed(tools: Tools, words: Sequence[Span], rival: Rival) -> bool:
    """Whether the model, asked to fill the differing places from the rival sentence, reads other words there."""
    shown = slice_of(rival.passage, rival.start, rival.end)
    fills = _fills(tools, words, [[n] for n in rival.holes], [shown])
    read = [
        f
        for (f,), n in zip(fills, rival.holes, strict=True)
        if _differs(f, words[n]) and same_subject(words, n, rival.text, f.text)
    ]
    verdict = tools.writer.verdicts([("".join(s.text for s in words), rival.text)])[0]
    return bool(read) and max(f.probability for f in read) >= DISPUTED and verdict.supports < 0.8


def _fills(
    tools: Tools, words: Sequence[Span], openings: Sequence[Sequence[int]], passages: Sequence[Passage]
) -> list[list[Filled]]:
    """What the model fills into places of a sentence, for each group that is opened together."""
    pieces = [(s.text, s.kind) for s in words]
    told = tools.writer.fill([(form(pieces, holes), passages) for holes in openings])
    return [
        [within_kind(f, words[n].kind) for f, n in zip(fills, holes, strict=True)]
        for fills, holes in zip(told, openings, strict=True)
    ]


def _differs(filled: Filled, span: Span) -> bool:
    if filled.passage is None or content(filled.text) == content(span.text):
        return False
    return any(kind.name == span.kind for _, _, kind in typed_spans(filled.text))


def supersedes(state: ResearchState, own: Passage, other: Passage) -> bool:
    """Whether the other source takes precedence: the later date, or, without two dates, what a person brought last."""
    if own.source.date and other.source.date:
        return _is_later(other.source.date, own.source.date)
    return state.version > 1 and other.id in state.fresh


def _corroborate(state: ResearchState, claim: Hypothesis, passage: Passage) -> ResearchState:
    """Another independent source says the same: belief rises, and until the report is out so does the number in it."""
    heard = [
        state.passage(e.source) for e in state.graph.edges if e.target == claim.id and e.relation is Relation.SUPPORTS
    ]
    number = clusters([*heard, passage])
    if number[passage.id] in {number[p.id] for p in heard}:
        return state
    edge = Edge(source=passage.id, relation=Relation.SUPPORTS, target=claim.id, weight=0.7)
    state = state.model_copy(update={"graph": state.graph.link(edge)})
    tail = state.draft.of(claim.id)[-1]
    if state.version > 1 or tail.text == "\n\n":
        return state
    sure = state.graph.get(claim.id).probability
    risen = tail.model_copy(update={"text": f" (confidence {sure:.2f})\n", "confidence": sure})
    return state.model_copy(update={"draft": state.draft.replace([risen])})


def _note(
    state: ResearchState, claim: Hypothesis, rival: Rival, revise: bool, reason: str
) -> Generator[Event, None, ResearchState]:
    """Keep the disagreement itself: it is shown in the report, whoever wins."""
    own, other = state.passage(claim.support[0].passage), rival.passage
    kept, lost = (other, own) if revise else (own, other)
    ours = report.claim_text(state.draft, claim.id)
    known = {(c.kept, c.other) for c in state.conflicts} | {(c.other, c.kept) for c in state.conflicts}
    edge = Edge(source=other.id, relation=Relation.REFUTES, target=claim.id, weight=-0.4)
    state = refer(refer(state.model_copy(update={"graph": state.graph.link(edge)}), own), other)
    if (ours, rival.text) in known:
        return state
    conflict = Conflict(
        id=f"conflict.{len(state.conflicts) + 1}",
        hypothesis=claim.id,
        kept=rival.text if revise else ours,
        kept_passage=kept.id,
        other=ours if revise else rival.text,
        other_passage=lost.id,
        reason=reason,
    )
    yield Event(
        step="check",
        kind="conflict",
        text=f"{report.named(own)} against {report.named(other)}: “{ours}” / “{rival.text}”",
        data=conflict.model_dump(mode="json"),
    )
    return state.model_copy(update={"conflicts": (*state.conflicts, conflict)})


def _why_kept(own: Passage, other: Passage) -> str:
    newer = own.source.date and other.source.date and _is_later(own.source.date, other.source.date)
    return "Kept: the newer source." if newer else "Kept: what was written first; the dates do not decide."


def _why_taken(own: Passage, other: Passage) -> str:
    return "Kept: the newer source." if own.source.date and other.source.date else "Kept: the evidence brought last."


def _is_later(one: str, other: str) -> bool:
    """Whether an ISO date is later than another, as far as both are precise."""
    size = min(len(one), len(other))
    return one[:size] > other[:size]


def _revise_claim(
    state: ResearchState, tools: Tools, claim: Hypothesis, rival: Rival
) -> Generator[Event, None, ResearchState]:
    """Open the contradicted places, fill them from the rival sentence, and keep the result only if that sentence supports it."""
    words = report.words_of(state.draft, claim.id)
    old = "".join(s.text for s in words)
    opened = [words[n].id for n in rival.holes]
    yield Event(
        step="check",
        kind="reopened",
        text=f"reopened {', '.join(f'“{words[n].text}”' for n in rival.holes)}: contradicted by {report.named(rival.passage)}",
        data={"spans": opened, "evidence": rival.passage.id, "reason": "contradicted"},
    )
    shown = slice_of(rival.passage, rival.start, rival.end)
    filled = [] if len(rival.holes) >= SWAP else _refilled(tools, words, rival, shown)
    new = report.claim_text(_changed(state, claim, rival, words, filled).draft, claim.id)
    before, after = (v.supports for v in tools.writer.verdicts([(old, rival.text), (new, rival.text)]))
    if after < before:
        yield Event(
            step="check",
            kind="rolled back",
            text=f"rolled back “{new}”: the evidence supports it less ({after:.2f}) than what stood ({before:.2f})",
            data={"claim": claim.id, "before": before, "after": after},
        )
        return (
            yield from _note(state, claim, rival, False, "Kept: what stood; its source supports the other words less.")
        )
    own = state.passage(claim.support[0].passage)
    state = yield from _note(state, claim, rival, True, _why_taken(own, rival.passage))
    revisions = _revisions(state, claim, rival, words, filled, new, old, before, after)
    for revision in revisions:
        yield revised(revision)
    changed = _changed(state, state.graph.get(claim.id), rival, words, filled)
    changed = changed.model_copy(update={"revisions": (*changed.revisions, *revisions)})
    return (yield from _follow_answers(state, changed, tools, claim, rival))


def _changed(
    state: ResearchState, claim: Hypothesis, rival: Rival, words: Sequence[Span], filled: Sequence[Filled]
) -> ResearchState:
    """The state with the rival's places filled so, or, without any, its whole sentence in the claim's place."""
    if filled:
        return _fill_places(state, claim, rival, words, filled)
    return replace_claim(state, claim, rival.passage, rival.start, rival.end)


def _refilled(tools: Tools, words: Sequence[Span], rival: Rival, shown: Passage) -> list[Filled]:
    """The contradicted places denoised together, or one by one where together fails; empty when some place cannot be filled."""
    together, *alone = _fills(tools, words, [rival.holes, *([n] for n in rival.holes)], [shown])
    for filled in (together, [f[0] for f in alone]):
        texts = {f.text for f in filled}
        if len(texts) == len(filled) and all(_differs(f, words[n]) for f, n in zip(filled, rival.holes, strict=True)):
            return filled
    return []


def _revisions(
    state: ResearchState,
    claim: Hypothesis,
    rival: Rival,
    words: Sequence[Span],
    filled: Sequence[Filled],
    new: str,
    old: str,
    before: float,
    after: float,
) -> list[Revision]:
    """One entry for a sentence replaced, or one for each place filled."""

    def entry(span: str, reopened: tuple[str, ...], was: str, now: str, p0: float, p1: float, steps: int) -> Revision:
        return Revision(
            version=state.version, span=span, reopened=reopened, old=was, new=now, reason="contradicted",
            evidence=rival.passage.id, before=p0, after=p1, steps=steps,
        )  # fmt: skip

    if not filled:
        everything = tuple(s.id for s in state.draft.of(claim.id))
        return [entry(words[0].id, everything, old, new, before, after, 1)]
    tail = (f"{_stem(words[0])}.cite", f"{_stem(words[0])}.conf")
    return [
        entry(words[n].id, (words[n].id, *tail), words[n].text, f.text, before, after, f.steps)
        for f, n in zip(filled, rival.holes, strict=True)
    ]


def _stem(span: Span) -> str:
    return span.id.rsplit(".", 1)[0]


def _fill_places(
    state: ResearchState, claim: Hypothesis, rival: Rival, words: Sequence[Span], filled: Sequence[Filled]
) -> ResearchState:
    """The draft with the opened places filled from the rival's passage, the claim cited to it and its confidence set anew."""
    state = refer(state, rival.passage)
    sentence = Support(passage=rival.passage.id, quote=rival.text, start=rival.start, end=rival.end)
    changed = [
        words[n].model_copy(
            update={
                "text": f.text,
                "status": "filled",
                "confidence": f.probability,
                "support": (Support(passage=rival.passage.id, quote=f.text, start=f.start, end=f.end),),
            }
        )
        for f, n in zip(filled, rival.holes, strict=True)
    ]
    cite = state.draft.span(f"{_stem(words[0])}.cite")
    tail = state.draft.span(f"{_stem(words[0])}.conf")
    sure = min(f.probability for f in filled)
    belief = log_odds(min(ONE_SOURCE, sure) if sure < 0.5 else ONE_SOURCE)
    node = state.graph.get(claim.id).model_copy(update={"support": (sentence,), "belief": belief})
    changed.append(
        cite.model_copy(
            update={"text": report.cite_text(state, rival.passage.source), "support": (sentence, *cite.support)}
        )
    )
    if tail.text != "\n\n":
        changed.append(
            tail.model_copy(update={"text": f" (confidence {node.probability:.2f})\n", "confidence": node.probability})
        )
    draft = state.draft.replace(changed)
    node = node.model_copy(update={"text": report.claim_text(draft, claim.id)})
    return state.model_copy(update={"draft": draft, "graph": state.graph.put(node)})


def _follow_answers(
    before: ResearchState, state: ResearchState, tools: Tools, claim: Hypothesis, rival: Rival
) -> Generator[Event, None, ResearchState]:
    """Ask again, from the new evidence, the sub-questions whose answer rests on a claim that changed, and those that rest on them."""
    waiting = [q for q in state.questions if (quote := quote_of(before, q)) and quote.id == claim.id]
    while waiting:
        question = waiting.pop(0)
        place = state.draft.span(f"{question.id}.answer")
        text = resolved(question, believed_answers(state))
        if text is None or place.status == "pinned":
            continue
        answer = _ask_again(state, tools, question, text, rival)
        if answer is None or content(answer.text) == content(place.text):
            continue
        old = [
            h.model_copy(update={"status": "refuted"}) for h in state.graph.answers(question.id) if h.id != answer.id
        ]
        graph = state.graph.put(answer, *old)
        edges = [Edge(source=answer.id, relation=Relation.REFUTES, target=h.id, weight=-2.0) for h in old]
        state = state.model_copy(update={"graph": graph.link(*edges)})
        doubted = state.graph.get(place.hypothesis).probability if place.hypothesis else None
        state = yield from put_answer(state, question, answer, "contradicted", doubted)
        waiting += [q for q in state.questions if question.id in q.depends_on]
    return state


def _ask_again(state: ResearchState, tools: Tools, question: SubQuestion, text: str, rival: Rival) -> Hypothesis | None:
    """The answer that the rival sentence gives to a sub-question; None when it gives none."""
    shown = slice_of(rival.passage, rival.start, rival.end)
    told = map(without_lead, tools.writer.answers(text, question.kind, [shown], 1))
    found = sorted(told, key=lambda c: -c.probability)
    if not found or found[0].probability < DISPUTED:
        return None
    best = found[0]
    count = 1 + sum(h.question == question.id and h.kind == "answer" for h in state.graph.hypotheses)
    support = Support(passage=best.passage, quote=best.text, start=best.start, end=best.end)
    answer = Hypothesis(
        id=f"{question.id}.h{count}",
        question=question.id,
        text=best.text,
        kind="answer",
        belief=log_odds(best.probability) - astray(state, question, best),
        support=(support,),
    )
    verdict = tools.writer.verdicts([(f"{text} {best.text}", shown.text)])[0]
    weight = verdict_edge(best.passage, answer, verdict).weight
    return answer.model_copy(update={"belief": answer.belief + weight})


def _refill(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """Places of claims that a person opened, and with new evidence those still open, are denoised from what is held on them."""
    for claim in [h for h in state.graph.hypotheses if h.kind == "claim"]:
        words = report.words_of(state.draft, claim.id)
        holes = [n for n, s in enumerate(words) if s.status == "open" or (s.status == "unestablished" and state.fresh)]
        if not holes:
            continue
        wanted = content("".join(s.text for s in words))
        own = state.passage(claim.support[0].passage)
        others = sorted((p for p in state.evidence if p.id != own.id), key=lambda p: -overlap(wanted, p.text))[:2]
        (filled,) = _fills(tools, words, [holes], [own, *others])
        for f, n in zip(filled, holes, strict=True):
            if f.passage is None:
                state = yield from _leave_open(state, claim.id, words[n])
            else:
                state = yield from _settle(state, tools, state.graph.get(claim.id), n, f, state.passage(f.passage))
    return state


def _settle(
    state: ResearchState, tools: Tools, claim: Hypothesis, hole: int, filled: Filled, passage: Passage
) -> Generator[Event, None, ResearchState]:
    """Fill an open place; words from another source are cited to it, and what rests on the claim follows them."""
    words, own = report.words_of(state.draft, claim.id), state.passage(claim.support[0].passage)
    old, opened = words[hole], [words[hole].id]
    start, end = sentence_at(passage, filled.start, filled.end)
    rival = Rival(passage, start, end, slice_of(passage, start, end).text, (hole,))
    changed = _fill_places(state, claim, rival, words, [filled])
    if passage.source.id == own.source.id:
        draft = state.draft.replace([changed.draft.span(old.id)])
        changed = state.model_copy(update={"draft": draft})
    else:
        opened += [f"{_stem(old)}.cite", f"{_stem(old)}.conf"]
    changed, listed = report.take_back(changed, old.id)
    revision = Revision(
        version=state.version, span=old.id, reopened=(*opened, *listed), old=old.text, new=filled.text,
        reason="person" if old.status == "open" else "new evidence", evidence=passage.id, before=old.confidence,
        after=filled.probability, steps=filled.steps,
    )  # fmt: skip
    yield revised(revision)
    changed = changed.model_copy(update={"revisions": (*changed.revisions, revision)})
    if content(filled.text) == content(old.text):
        return changed
    return (yield from _follow_answers(state, changed, tools, claim, rival))


def _leave_open(state: ResearchState, claim: str, old: Span) -> Generator[Event, None, ResearchState]:
    """A place that nothing fills is shown as a hole, and listed with the words that stood there."""
    hole = {"status": "unestablished", "text": report.OPEN, "support": (), "confidence": None}
    draft = state.draft.replace([old.model_copy(update=hole)])
    text = report.claim_text(draft, claim)
    graph = state.graph.put(state.graph.get(claim).model_copy(update={"text": text}))
    state = state.model_copy(update={"draft": draft, "graph": graph})
    if old.text == report.OPEN:
        return state
    why = f"“{old.text}” in “{text}”: nothing that is held fills this place."
    yield Event(step="check", kind="unestablished", text=why, data={"span": old.id})
    revision = Revision(
        version=state.version, span=old.id, reopened=(old.id,), old=old.text, new=report.OPEN, reason="person",
        evidence=None, before=old.confidence,
    )  # fmt: skip
    state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    return report.list_open(state, old.id, why)
