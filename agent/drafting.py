"""Writing into the draft: answers into their slots, claims copied from evidence, citations numbered as they come."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from palimpsest.retrieval.types import Passage

from . import report
from .draft import Span, Support
from .forms import content, overlap, parts, resolved, sentence_at, sentences
from .hypotheses import Edge, Hypothesis, Relation, log_odds
from .state import Event, Query, Reason, ResearchState, Revision, SubQuestion, Tools

ESTABLISHED = 0.25  # the least probability with which an answer is written rather than left open
_LEANS = re.compile(
    r"^(?:It|Its|They|Their|This|That|These|Those|He|She|His|Her|But|However|Also|Such)\b|\b(?:therefore|thus|also|hence|this)\b"
)  # a sentence that leans on the one before it
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
        if place.status == "pinned" or answer is None or (place.hypothesis == answer.id and place.status == "filled"):
            continue
        if place.status == "filled":
            if place.hypothesis and answer.belief < state.graph.get(place.hypothesis).belief + MARGIN:
                continue
            state = yield from change_answer(state, question, answer, "new evidence")
        else:
            state = yield from _first_answer(state, question, answer)
    # Findings wait for the second round: by then the answer they speak of has been checked once.
    if state.version == 1 and state.round >= min(2, state.budget.rounds):
        for question in state.questions:
            state = yield from _findings(state, question)
    return state


def _first_answer(
    state: ResearchState, question: SubQuestion, answer: Hypothesis
) -> Generator[Event, None, ResearchState]:
    state = write_answer(state, question, answer)
    yield Event(
        step="revise",
        kind="wrote",
        text=f"{report.asked(question, state)} {answer.text} ({answer.probability:.2f})",
        data={"span": f"{question.id}.answer", "text": answer.text, "probability": answer.probability},
    )
    support = answer.support[0]
    if standing := _standing(state, support):
        return _rest_on(state, question, standing.id)
    if quote_of(state, question) is None:
        passage = state.passage(support.passage)
        state, claim = write_claim(
            state, question, passage, *sentence_at(passage, support.start, support.end), quote=True
        )
        state = state.model_copy(
            update={"graph": state.graph.link(Edge(source=claim.id, relation=Relation.REFINES, target=answer.id))}
        )
        state = _ask_about(state, claim)
    return state


def change_answer(
    state: ResearchState, question: SubQuestion, answer: Hypothesis, reason: Reason, before: float | None = None
) -> Generator[Event, None, ResearchState]:
    """Reopen an answer that was written and fill it with another; its quote follows, and so do the questions that rest on it."""
    place = state.draft.span(f"{question.id}.answer")
    yield Event(
        step="check" if reason == "contradicted" else "revise",
        kind="reopened",
        text=f"reopened the answer “{place.text}”: {reason}",
        data={"span": place.id, "old": place.text, "reason": reason},
    )
    opened = [place.id, f"{question.id}.cite", f"{question.id}.conf"]
    state = write_answer(state, question, answer)
    quote, support = quote_of(state, question), answer.support[0]
    if quote and not _holds(state, quote, support):
        spans = state.draft.of(quote.id)
        opened += [s.id for s in spans]
        passage = state.passage(support.passage)
        if standing := _standing(state, support, but=quote.id):
            lead = f"{quote.id}.lead"
            opened.append(lead)
            state = state.model_copy(update={"draft": state.draft.swap([lead, *(s.id for s in spans)], [])})
            state = _rest_on(state, question, standing.id)
        else:
            state = replace_claim(state, quote, passage, *sentence_at(passage, support.start, support.end))
    revision = Revision(
        version=state.version,
        span=place.id,
        reopened=tuple(opened),
        old=place.text,
        new=answer.text,
        reason=reason,
        evidence=answer.support[0].passage,
        before=before if before is not None else place.confidence,
        after=answer.probability,
        steps=1,
    )
    state = state.model_copy(update={"revisions": (*state.revisions, revision)})
    yield revised(revision)
    return follow(state, question)


def revised(revision: Revision) -> Event:
    return Event(
        step="check",
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
            if text[-1] in '.!?”"' and len(content(text)) >= 5 and len(text) < 320 and not _LEANS.search(text):
                score = 0.6 * overlap(told, text) + 0.4 * overlap(asked, text)
                found.append((score, passage, passage.start + start, passage.start + end, text))
    return sorted(found, key=lambda f: -f[0])


def _alike(one: str, other: str) -> bool:
    a, b = content(one), content(other)
    return len(a & b) >= 0.7 * min(len(a), len(b))


def place_of(span: Span) -> bool:
    """Whether a span is a typed place of a sentence, one that can be reopened alone."""
    return span.kind in ("ENTITY", "NUMBER") and span.status in ("filled", "pinned")
