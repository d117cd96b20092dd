"""Writing into the draft: answers into their slots, claims copied from evidence, citations numbered as they come."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from palimpsest.retrieval.types import Passage

from . import report
from .draft import Span, Support
from .forms import content, overlap, parts, resolved, same_answer, sentence_at, sentences
from .hypotheses import Edge, Hypothesis, Relation, log_odds
from .state import Event, Query, Reason, ResearchState, Revision, SubQuestion, Tools

ESTABLISHED = 0.25  # the least probability with which an answer is written rather than left open
_LEANS = re.compile(
    r"^(?:It|Its|They|Their|This|That|These|Those|He|She|His|Her|But|However|Also|Such)\b|\b(?:therefore|thus|also|hence|this)\b"
)  # a sentence that leans on the one before it
_ENDS = re.compile(r"[.!?][\"”’)\]]*$")
MARGIN = 1.5  # log-odds by which another answer must be believed more before a written one gives way to it
ONE_SOURCE = 0.65  # what one source's own sentence is believed before others are heard
RELATED = 0.5  # the least score of a finding: 0.6 for all of the answer's words, 0.4 for all of the question's


def best_answer(state: ResearchState, question: SubQuestion) -> Hypothesis | None:
    """The most believed answer that is not refuted and is believed enough to be written."""
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"]
    return rivals[0] if rivals and rivals[0].probability >= ESTABLISHED else None


def known_answers(state: ResearchState) -> dict[str, str]:
    """Sub-question id -> the answer that stands in the draft, for those that are answered."""
    spans = {q.id: state.draft.span(f"{q.id}.answer") for q in state.questions}
    return {q: s.text for q, s in spans.items() if s.status in ("filled", "pinned")}


def believed_answers(state: ResearchState) -> dict[str, str]:
    """Sub-question id -> the answer believed now, written or not."""
    found = {q.id: best_answer(state, q) for q in state.questions}
    return {**{q: h.text for q, h in found.items() if h}, **known_answers(state)}


def refer(state: ResearchState, passage: Passage) -> ResearchState:
    """The state in which the passage's source has a number."""
    if passage.source.id in state.references:
        return state
    return state.model_copy(update={"references": (*state.references, passage.source.id)})


def write_answer(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> ResearchState:
    """Fill the answer slot of a sub-question, its citation and its confidence from a hypothesis."""
    support = answer.support[0]
    passage = state.passage(support.passage)
    state = refer(state, passage)
    place = state.draft.span(f"{question.id}.answer")
    filled = place.model_copy(
        update={
            "text": answer.text,
            "status": "filled",
            "hypothesis": answer.id,
            "support": (support,),
            "confidence": answer.probability,
        }
    )
    cite = state.draft.span(f"{question.id}.cite").model_copy(
        update={"text": report.cite_text(state, passage.source), "status": "filled", "support": (support,)}
    )
    confidence = state.draft.span(f"{question.id}.conf").model_copy(
        update={"text": report.confidence_text(answer.probability), "status": "filled"}
    )
    return state.model_copy(update={"draft": state.draft.replace([filled, cite, confidence])})


def write_claim(
    state: ResearchState, question: SubQuestion, passage: Passage, start: int, end: int, quote: bool
) -> tuple[ResearchState, Hypothesis]:
    """Copy the sentence [start, end) of a source into the draft as a claim: under its answer as a quote, or as a finding."""
    state = refer(state, passage)
    words = parts(passage.text[start - passage.start : end - passage.start], start)
    text = "".join(p.text for p in words)
    support = Support(passage=passage.id, quote=text, start=start, end=end)
    name = f"c{1 + sum(h.kind == 'claim' for h in state.graph.hypotheses)}"
    claim = Hypothesis(
        id=name,
        question=question.id,
        text=text,
        kind="claim",
        belief=log_odds(ONE_SOURCE),
        support=(support,),
        status="held",
    )
    graph = state.graph.put(claim).link(Edge(source=passage.id, relation=Relation.SUPPORTS, target=name))
    state = state.model_copy(update={"graph": graph})
    spans = report.claim_spans(name, words, passage, report.cite_text(state, passage.source), quote, claim.probability)
    if quote:
        state = state.model_copy(update={"draft": state.draft.append(f"answer.{question.id}", spans)})
        return _rest_on(state, question, name), claim
    return report.append(state, "findings", spans), claim


def quote_of(state: ResearchState, question: SubQuestion) -> Hypothesis | None:
    """The claim that a sub-question's answer rests on: quoted under it, or under another answer read from the same sentence."""
    needed = set(state.draft.span(f"{question.id}.answer").depends_on)
    name = next((s.hypothesis for s in state.draft.spans() if s.id in needed), None)
    return state.graph.get(name) if name else None


def _rest_on(state: ResearchState, question: SubQuestion, claim: str) -> ResearchState:
    """The answer slot depends on the words of this claim: when they are reopened, so is the answer."""
    needs = tuple(s.id for s in report.words_of(state.draft, claim))
    place = state.draft.span(f"{question.id}.answer").model_copy(update={"depends_on": needs})
    return state.model_copy(update={"draft": state.draft.replace([place])})


def _standing(state: ResearchState, support: Support, but: str = "") -> Hypothesis | None:
    """A claim in the draft whose sentence holds this place of a source."""
    claims = (h for h in state.graph.hypotheses if h.kind == "claim" and h.id != but)
    return next((h for h in claims if state.draft.of(h.id) and _holds(state, h, support)), None)


def revise(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """Write every answer that is believed and not yet written, quote its sentence, and add findings beside it."""
    for question in state.questions:
        place, answer = state.draft.span(f"{question.id}.answer"), best_answer(state, question)
        if place.status != "pinned" and answer and not _stays(state, place, answer):
            state = yield from put_answer(state, question, answer, why_open(state, question))
    # Findings wait for the second round: by then the answer they speak of has been checked once.
    if state.version == 1 and state.round >= min(2, state.budget.rounds):
        for question in state.questions:
            state = yield from _findings(state, question)
    return state


def _stays(state: ResearchState, place: Span, answer: Hypothesis) -> bool:
    """Whether the written answer stands against this one: the same, or not believed enough more."""
    if place.status != "filled" or place.hypothesis is None:
        return False
    return answer.belief < state.graph.get(place.hypothesis).belief + MARGIN


def why_open(state: ResearchState, question: SubQuestion) -> Reason:
    """Why an answer slot is filled anew: it was opened because the answer it rests on changed, or by a person; or it was not."""
    if state.draft.span(f"{question.id}.answer").status != "open":
        return "new evidence"
    changed = {r.span for r in state.revisions if r.version == state.version}
    return "depends on" if changed & {f"{q}.answer" for q in question.depends_on} else "person"


def put_answer(
    state: ResearchState, question: SubQuestion, answer: Hypothesis, reason: Reason, before: float | None = None
) -> Generator[Event, None, ResearchState]:
    """Fill an answer slot; its quote follows. Where something stood, a revision says so, and the questions that rest on it open."""
    place, step = state.draft.span(f"{question.id}.answer"), "check" if reason == "contradicted" else "revise"
    if place.text == report.OPEN:
        state, _ = _requote(write_answer(state, question, answer), question, answer)
        yield Event(
            step=step,
            kind="wrote",
            text=f"{question.asked} {answer.text} ({answer.probability:.2f})",
            data={"span": place.id, "text": answer.text, "probability": answer.probability},
        )
        return state
    yield Event(
        step=step,
        kind="reopened",
        text=f"reopened the answer “{place.text}”: {reason}",
        data={"span": place.id, "old": place.text, "reason": reason},
    )
    state, listed = report.take_back(write_answer(state, question, answer), question.id)
    state, quoted = _requote(state, question, answer)
    revision = Revision(
        version=state.version,
        span=place.id,
        reopened=(place.id, f"{question.id}.cite", f"{question.id}.conf", *listed, *quoted),
        old=place.text,
        new=answer.text,
        reason=reason,
        evidence=answer.support[0].passage,
        before=before if before is not None else place.confidence,
        after=answer.probability,
        steps=1,
    )
    state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    yield revised(revision, step)
    return state if same_answer(answer.text, place.text) else follow(state, question)


def give_up(state: ResearchState, question: SubQuestion, why: str) -> Generator[Event, None, ResearchState]:
    """Say of an answer slot that nothing fills it; an answer that stood there falls with its quote, and a revision says so."""
    place, reason = state.draft.span(f"{question.id}.answer"), why_open(state, question)
    state, quoted = _unquote(state, question)
    cite, sure = (state.draft.span(f"{question.id}.{part}") for part in ("cite", "conf"))
    place_now = state.draft.span(place.id)
    empty = {"status": "unestablished", "support": (), "confidence": None}
    spans = [
        place_now.model_copy(update={**empty, "text": report.NOT_ESTABLISHED}),
        sure.model_copy(update={"text": "\n\n"}),
        cite.model_copy(update={"text": "", "support": ()}),
    ]
    state = state.model_copy(update={"draft": state.draft.replace(spans)})
    state = report.list_open(state, question.id, why)
    yield Event(step="finish", kind="unestablished", text=why, data={"question": question.id})
    if place.text == report.OPEN:
        return state
    revision = Revision(
        version=state.version,
        span=place.id,
        reopened=(place.id, cite.id, sure.id, *quoted),
        old=place.text,
        new=report.NOT_ESTABLISHED,
        reason=reason,
        evidence=None,
        before=place.confidence,
    )
    yield revised(revision, "finish")
    return state.model_copy(update={"revisions": (*state.revisions, revision)})


def _requote(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> tuple[ResearchState, list[str]]:
    """Lay under an answer the sentence it was read from, unless it stands in the draft; the ids of old spans that went for it."""
    support = answer.support[0]
    quote, own = quote_of(state, question), _own_quote(state, question)
    if quote and _holds(state, quote, support):
        return state, []
    passage, standing = state.passage(support.passage), _standing(state, support)
    sentence = sentence_at(passage, support.start, support.end)
    if own and standing is None:
        return replace_claim(state, own, passage, *sentence), [s.id for s in state.draft.of(own.id)]
    state, gone = _unquote(state, question)
    if standing:
        return _rest_on(state, question, standing.id), gone
    state, claim = write_claim(state, question, passage, *sentence, quote=True)
    edge = Edge(source=claim.id, relation=Relation.REFINES, target=answer.id)
    return _ask_about(state.model_copy(update={"graph": state.graph.link(edge)}), claim), gone


def _own_quote(state: ResearchState, question: SubQuestion) -> Hypothesis | None:
    """The quote of an answer where it may go with it: no other answer rests on it, and no word of it is pinned."""
    quote = quote_of(state, question)
    if quote is None or any(s.status == "pinned" for s in state.draft.of(quote.id)):
        return None
    others = [quote_of(state, q) for q in state.questions if q.id != question.id]
    return None if any(o and o.id == quote.id for o in others) else quote


def _unquote(state: ResearchState, question: SubQuestion) -> tuple[ResearchState, list[str]]:
    """Take an answer's own quote out of the draft; the ids of the spans that went."""
    quote = _own_quote(state, question)
    gone = [f"{quote.id}.lead", *(s.id for s in state.draft.of(quote.id))] if quote else []
    place = state.draft.span(f"{question.id}.answer").model_copy(update={"depends_on": ()})
    return state.model_copy(update={"draft": state.draft.swap(gone, []).replace([place])}), gone


def revised(revision: Revision, step: str = "check") -> Event:
    return Event(
        step=step,
        kind="revised",
        text=f"“{revision.old.strip()}” → “{revision.new.strip()}” ({revision.reason})",
        data=revision.model_dump(mode="json"),
    )


def _holds(state: ResearchState, claim: Hypothesis, support: Support) -> bool:
    """Whether the claim's sentence, as it stands, is supported by the place that the answer was read from."""
    return any(
        s.passage == support.passage and s.start <= support.start and support.end <= s.end
        for span in state.draft.of(claim.id)
        for s in span.support
    )


def replace_claim(state: ResearchState, claim: Hypothesis, passage: Passage, start: int, end: int) -> ResearchState:
    """Put the sentence [start, end) of a source in the place of a claim's sentence; its lead stays."""
    state = refer(state, passage)
    words = parts(passage.text[start - passage.start : end - passage.start], start)
    old = state.draft.of(claim.id)
    turn = 1 + max([int(s.id.split("~")[1].split(".")[0]) for s in old if "~" in s.id], default=0)
    quote = old[-1].text == "\n\n"
    fresh = report.claim_spans(
        f"{claim.id}~{turn}", words, passage, report.cite_text(state, passage.source), quote, ONE_SOURCE
    )
    renamed = [s.model_copy(update={"hypothesis": claim.id}) for s in fresh[1:]]
    draft = state.draft.swap([s.id for s in old], renamed)
    needs = tuple(s.id for s in renamed if s.support and s.kind != "CITE")
    answers = [s for s in draft.spans() if s.id.endswith(".answer") and {o.id for o in old} & set(s.depends_on)]
    draft = draft.replace([s.model_copy(update={"depends_on": needs}) for s in answers])
    text = "".join(p.text for p in words)
    support = Support(passage=passage.id, quote=text, start=start, end=end)
    graph = state.graph.put(
        claim.model_copy(update={"text": text, "support": (support,), "belief": log_odds(ONE_SOURCE)})
    )
    return state.model_copy(update={"draft": draft, "graph": graph})


def follow(state: ResearchState, question: SubQuestion) -> ResearchState:
    """After an answer changed: the sub-questions that rest on it lose theirs, and are asked again with the new one."""
    for later in (q for q in state.questions if question.id in q.depends_on):
        stale = [h.model_copy(update={"status": "refuted"}) for h in state.graph.answers(later.id)]
        place = state.draft.span(f"{later.id}.answer")
        if place.status == "pinned":
            continue
        opened = place.model_copy(update={"status": "open"})
        read = tuple(r for r in state.read if not r.startswith(f"{later.id}/"))
        state = state.model_copy(
            update={"graph": state.graph.put(*stale), "draft": state.draft.replace([opened]), "read": read}
        )
        text = resolved(later, {**believed_answers(state), **known_answers(state)})
        if text:
            state = ask(state, [Query(text=text, question=later.id, reason="question")])
    return state


def ask(state: ResearchState, queries: Iterable[Query]) -> ResearchState:
    """Add the queries whose words were not asked before."""
    known = {q.text for q in state.queries}
    fresh = []
    for query in queries:
        if query.text not in known:
            known.add(query.text)
            fresh.append(query)
    return state.model_copy(update={"queries": (*state.queries, *fresh)})


def _ask_about(state: ResearchState, claim: Hypothesis) -> ResearchState:
    """A claim with its figures taken out is a query for what else is said in their place."""
    words = report.words_of(state.draft, claim.id)
    text = " ".join("".join(" " if s.kind == "NUMBER" else s.text for s in words).split())
    return ask(state, [Query(text=text, question=claim.question, reason="check")])


def _findings(state: ResearchState, question: SubQuestion) -> Generator[Event, None, ResearchState]:
    """Add the sentences of held evidence that say most about the answer and the question, each once, a source at a time."""
    answer = best_answer(state, question)
    if answer is None:
        return state
    written = [report.claim_text(state.draft, h.id) for h in state.graph.hypotheses if h.kind == "claim"]
    used: set[str] = set()
    for score, passage, start, end, text in _ranked_sentences(state, question, answer):
        if len(used) >= state.budget.claims or score < RELATED:
            break
        if passage.source.id in used or any(_alike(text, other) for other in written):
            continue
        state, claim = write_claim(state, question, passage, start, end, quote=False)
        state = _ask_about(state, claim)
        used.add(passage.source.id)
        written.append(text)
        yield Event(
            step="revise",
            kind="wrote",
            text=text,
            data={"span": f"{claim.id}.0", "text": text, "probability": claim.probability},
        )
    return state


def _ranked_sentences(
    state: ResearchState, question: SubQuestion, answer: Hypothesis
) -> list[tuple[float, Passage, int, int, str]]:
    """(score, passage, start, end, text) of sentences read for a sub-question that stand on their own, the best first."""
    told, asked = content(answer.text), content(question.text.replace("{", " ").replace("}", " "))
    read = {r.split("/", 1)[1] for r in state.read if r.startswith(f"{question.id}/")}
    found = []
    for passage in (p for p in state.evidence if p.id in read):
        for start, end in sentences(passage.text):
            text = passage.text[start:end]
            if _ENDS.search(text) and len(content(text)) >= 5 and len(text) < 320 and not _LEANS.search(text):
                score = 0.6 * overlap(told, text) + 0.4 * overlap(asked, text)
                found.append((score, passage, passage.start + start, passage.start + end, text))
    return sorted(found, key=lambda f: -f[0])


def _alike(one: str, other: str) -> bool:
    a, b = content(one), content(other)
    return len(a & b) >= 0.7 * min(len(a), len(b))


def place_of(span: Span) -> bool:
    """Whether a span is a typed place of a sentence, one that can be reopened alone."""
    return span.kind in ("ENTITY", "NUMBER") and span.status in ("filled", "pinned")
