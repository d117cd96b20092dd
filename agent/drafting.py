"""Writing into the draft: answers into their slots, sentences quoted under them, citations numbered as they come."""

from __future__ import annotations

import re
from collections.abc import Iterable

from palimpsest.retrieval.types import Passage

from . import blocks, thresholds
from .draft import Block, Span, Support
from .evidence_text import Part, content, overlap, parts, same_answer, sentence_at, sentences_of
from .hypotheses import Edge, Hypothesis, Relation
from .numbers import Numbers
from .questions import resolved
from .rivals import takes_precedence
from .standing import standing
from .state import Event, Events, Query, Reason, ResearchState, Revision, Steps, SubQuestion, Tools
from .tabling import is_verbatim, lay_under

_LEANS = re.compile(
    r"^(?:It|Its|They|Their|This|That|These|Those|He|She|His|Her|But|However|Also|Such)\b|\b(?:therefore|thus|also|hence|this)\b"
)  # a sentence that leans on the one before it
_ENDS = re.compile(r"[.!?][\"”’)\]]*$")


def best_answer(state: ResearchState, numbers: Numbers, question: SubQuestion) -> Hypothesis | None:
    """The most believed answer that is not refuted and is believed enough to be written; none where nothing is likelier."""
    if state.graph.nothing(question.id):
        return None
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"]
    return rivals[0] if rivals and rivals[0].probability >= numbers.established else None


def slot_of(state: ResearchState, question: SubQuestion) -> Span:
    return state.draft.span(f"{question.id}.answer")


def known_answers(state: ResearchState) -> dict[str, str]:
    """Sub-question id -> the answer that stands in the draft, for those that are answered."""
    spans = {q.id: slot_of(state, q) for q in state.facts}
    return {q: s.text for q, s in spans.items() if s.status in ("filled", "pinned")}


def believed_answers(state: ResearchState, numbers: Numbers) -> dict[str, str]:
    """Sub-question id -> the answer believed now, written or not."""
    found = {q.id: best_answer(state, numbers, q) for q in state.facts}
    return {**{q: h.text for q, h in found.items() if h}, **known_answers(state)}


def refer(state: ResearchState, passage: Passage) -> ResearchState:
    """The state in which the passage's source has a number."""
    if passage.source.id in state.references:
        return state
    return state.model_copy(update={"references": (*state.references, passage.source.id)})


def write_answer(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> ResearchState:
    """Fill the answer slot of a sub-question, its citation and its standing from a hypothesis."""
    support = answer.support[:1] if is_verbatim(answer) else answer.support
    state = refer(state, state.passage(support[0].passage))
    filled = {"status": "filled", "hypothesis": answer.id, "support": support}
    place = slot_of(state, question)
    kind = question.kind if is_verbatim(answer) else "COMPUTED"
    spans = [
        place.model_copy(update={**filled, "kind": kind, "text": answer.text, "confidence": answer.probability}),
        state.draft.span(f"{question.id}.cite").model_copy(update=filled),
        state.draft.span(f"{question.id}.standing").model_copy(
            update={**filled, "support": (), "text": standing(state, answer)}
        ),
    ]
    return state.model_copy(update={"draft": state.draft.replace(spans)})


def sentence_parts(passage: Passage, start: int, end: int) -> list[Part]:
    """The source's characters [start, end) cut at their typed places."""
    return parts(passage.text[start - passage.start : end - passage.start], start)


def quote(
    state: ResearchState, section: str, question: str, passage: Passage, start: int, end: int, name: str = ""
) -> tuple[ResearchState, Hypothesis]:
    """Copy the sentence [start, end) of a source into a section as a claim of its own, under a `name` or the next one free."""
    state = refer(state, passage)
    words = sentence_parts(passage, start, end)
    name = name or f"c{1 + sum(h.kind == 'claim' for h in state.graph.hypotheses)}"
    whole = blocks.whole_of(passage, words)
    claim = Hypothesis(id=name, question=question, text=whole.quote, kind="claim", support=(whole,), status="held")
    graph = state.graph.put(claim).link(Edge(source=passage.id, relation=Relation.SUPPORTS, target=name))
    state = state.model_copy(update={"graph": graph})
    return blocks.put(state, [blocks.quotation(name, section, words, passage, name)]), claim


def quote_of(state: ResearchState, question: SubQuestion) -> Block | None:
    """The quotation that a sub-question's answer rests on: under it, or under another answer read from the same sentence."""
    needed = slot_of(state, question).depends_on
    return state.draft.block_of(needed[0]) if needed else None


def _rest_on(state: ResearchState, question: SubQuestion, block: Block) -> ResearchState:
    """The answer slot depends on the words of this quotation: when they are reopened, so is the answer."""
    needs = tuple(s.id for s in block.words)
    place = slot_of(state, question).model_copy(update={"depends_on": needs})
    return state.model_copy(update={"draft": state.draft.replace([place])})


def standing_quotation(state: ResearchState, support: Support, but: Block | None = None) -> Block | None:
    """A quotation in the draft, another than `but`, whose sentence holds this place of a source."""
    quoted = (b for b in state.draft.blocks if b.kind == "quotation" and (but is None or b.id != but.id))
    return next((b for b in quoted if holds(b, support)), None)


def holds(block: Block, support: Support) -> bool:
    """Whether a quotation's sentence holds the place that something was read from."""
    cited = block.span("citation")
    return cited is not None and any(
        s.passage == support.passage and s.start <= support.start and support.end <= s.end for s in cited.support[:1]
    )


def write_answers(state: ResearchState, tools: Tools) -> Steps:
    """Write every answer that is believed and not yet written, quote its sentence, and add findings beside it."""
    has_sections = any(q.is_open for q in state.questions)
    for question in state.facts:
        place, answer = slot_of(state, question), best_answer(state, tools.numbers, question)
        if answer and has_sections and answer.probability < thresholds.SHIPPED.tentative:
            continue
        if place.status == "filled" and state.version == 1 and state.graph.nothing(question.id):
            state = state.model_copy(update={"draft": state.draft.mark(place.id, "open")})
        if place.status != "pinned" and answer and not _stays(state, tools.numbers, question, answer):
            reason = why_open(state, question, tools.numbers)
            if place.text and reason not in tools.reopens:
                continue
            state = yield from put_answer(state, question, answer, reason, follows="dependent" in tools.reopens)
            yield state
    # Findings wait for the second round: by then the answer they speak of has been checked once. Sections need none beside them.
    if state.version == 1 and state.round >= min(2, state.budget.rounds) and not has_sections:
        for question in state.facts:
            state = yield from _findings(state, tools.numbers, question)
            yield state
    return state


def _stays(state: ResearchState, numbers: Numbers, question: SubQuestion, answer: Hypothesis) -> bool:
    """Whether the written answer stands against this one: the same, or not believed enough more.

    One that was read in the sentence that answers what it depends on speaks of that very thing: without a source that takes
    precedence, it falls only when contradicted.
    """
    place = slot_of(state, question)
    if place.status != "filled" or place.hypothesis is None:
        return False
    before = [quote_of(state, q) for q in state.facts if q.id in question.depends_on]
    if any(quoted and holds(quoted, s) for quoted in before for s in place.support[:1]):
        own, other = (state.passage(s[0].passage) for s in (place.support, answer.support))
        if not takes_precedence(state, own, other, question.as_of):
            return True
    return answer.belief <= state.graph.get(place.hypothesis).belief + numbers.margin


def why_open(state: ResearchState, question: SubQuestion, numbers: Numbers) -> Reason:
    """Why an answer slot is filled anew: its source was banned, what it rests on changed, a person opened it, or neither.

    An answer that was believed less than `unsure` when it was written sent the search on: what came of that reopens it as unsure, and
    so does a reading of all hops together that found it likelier that nothing answers.
    """
    place, withdrawn = slot_of(state, question), {p.id for p in state.withdrawn}
    if place.status != "open":
        return "unsure" if place.confidence is not None and place.confidence < numbers.unsure else "new evidence"
    if any(s.passage in withdrawn for s in place.support):
        return "ban"
    changed = {r.span for r in state.revisions if r.version == state.version}
    if changed & {f"{q}.answer" for q in question.depends_on}:
        return "dependent"
    return "person" if state.version > 1 else "unsure"


def put_answer(
    state: ResearchState,
    question: SubQuestion,
    answer: Hypothesis,
    reason: Reason,
    before: float | None = None,
    follows: bool = True,
) -> Events:
    """Fill an answer slot; its quote follows. Where something stood, a revision says so, and what rests on it opens if it `follows`."""
    place, step = slot_of(state, question), "check" if reason == "contradicted" else "revise"
    if not place.text and not is_listed(state, question.id):
        state, _ = _requote(write_answer(state, question, answer), question, answer)
        yield Event(
            step=step,
            kind="wrote",
            text=f"{question.asked} {answer.text}",
            data={"span": place.id, "text": answer.text, "probability": answer.probability},
        )
        return state
    yield Event(
        step=step,
        kind="reopened",
        text=f"reopened the answer “{place.text}”: {reason}",
        data={"span": place.id, "old": place.text, "reason": reason},
    )
    state, listed = blocks.take_back(write_answer(state, question, answer), question.id)
    state, quoted = _requote(state, question, answer)
    state, chained = _unchain(state, question)
    state, beside = _without_others(state, question)
    revision = Revision(
        version=state.version,
        span=place.id,
        reopened=(place.id, f"{question.id}.cite", f"{question.id}.standing", *listed, *quoted, *chained, *beside),
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
    return follow(state, question) if follows and not same_answer(answer.text, place.text) else state


def give_up(
    state: ResearchState, question: SubQuestion, numbers: Numbers, why: str, cited: Support | None = None
) -> Events:
    """Say of an answer slot that nothing fills it; an answer that stood there falls with its quote, and a revision says so."""
    place, reason = slot_of(state, question), why_open(state, question, numbers)
    state, quoted = _unquote(state, question)
    state, chained = _unchain(state, question)
    state, beside = _without_others(state, question)
    names = (place.id, f"{question.id}.cite", f"{question.id}.standing")
    empty = {"status": "unestablished", "text": "", "support": (), "confidence": None, "hypothesis": None}
    spans = [state.draft.span(name).model_copy(update=empty) for name in names]
    state = state.model_copy(update={"draft": state.draft.replace(spans)})
    state = list_open(state, question.id, why, cited)
    yield Event(step="finish", kind="unestablished", text=why, data={"question": question.id})
    if not place.text:
        return state
    revision = Revision(
        version=state.version,
        span=place.id,
        reopened=(*names, *quoted, *chained, *beside),
        old=place.text,
        new="",
        reason=reason,
        evidence=None,
        before=place.confidence,
    )
    yield revised(revision, "finish")
    return state.model_copy(update={"revisions": (*state.revisions, revision)})


def is_listed(state: ResearchState, name: str) -> bool:
    """Whether the list of what is not established speaks of a sub-question or block."""
    return any(b.id.startswith(f"open.{name}.") for b in state.draft.section("open"))


def list_open(state: ResearchState, name: str, text: str, cited: Support | None = None) -> ResearchState:
    """Say in the list of what is not established what nothing fills: a sub-question or a place, by its id."""
    state = refer(state, state.passage(cited.passage)) if cited else state
    return blocks.put(state, [blocks.line(f"open.{name}.{state.version}", "open", text, cited)])


def _requote(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> tuple[ResearchState, list[str]]:
    """Lay under an answer the sentence it was read from, unless it stands in the draft; the ids of old spans that went for it."""
    if answer.computation:
        return _recompute(state, question, answer)
    support = answer.support[0]
    quoted, own = quote_of(state, question), _own_quote(state, question)
    if quoted and holds(quoted, support):
        return state, []
    passage, standing_one = state.passage(support.passage), standing_quotation(state, support)
    sentence = sentence_at(passage, support.start, support.end)
    if own and standing_one is None:
        return replace_quotation(state, own, passage, *sentence), [s.id for s in own.spans]
    state, gone = _unquote(state, question)
    if standing_one:
        return _rest_on(state, question, standing_one), gone
    state, claim = quote(state, f"answer.{question.id}", question.id, passage, *sentence)
    edge = Edge(source=claim.id, relation=Relation.REFINES, target=answer.id)
    state = state.model_copy(update={"graph": state.graph.link(edge)})
    block = state.draft.block(claim.id)
    assert block is not None, "it was put there just now"
    return _ask_about(_rest_on(state, question, block), block), gone


def _recompute(state: ResearchState, question: SubQuestion, answer: Hypothesis) -> tuple[ResearchState, list[str]]:
    """Lay under an answer the sentence that says how it was computed, and the row it stands in, if it stands in one."""
    state, gone = _unquote(state, question)
    if is_verbatim(answer):
        passage, support = state.passage(answer.support[0].passage), answer.support[0]
        row = sentence_at(passage, support.start, support.end)
        block = standing_quotation(state, support)
        if block is None:
            state, claim = quote(state, f"answer.{question.id}", question.id, passage, *row)
            block = state.draft.block(claim.id)
        assert block is not None, "it was put there just now"
        return lay_under(_rest_on(state, question, block), question, answer), gone
    state = lay_under(state, question, answer)
    return _rest_on(state, question, state.draft.section(f"answer.{question.id}")[-1]), gone


def _own_quote(state: ResearchState, question: SubQuestion) -> Block | None:
    """The quotation of an answer where it may go with it: no other answer rests on it, and no word of it is pinned."""
    quoted = quote_of(state, question)
    if quoted is None or any(s.status == "pinned" for s in quoted.spans):
        return None
    others = [quote_of(state, q) for q in state.facts if q.id != question.id]
    return None if any(o and o.id == quoted.id for o in others) else quoted


def _unquote(state: ResearchState, question: SubQuestion) -> tuple[ResearchState, list[str]]:
    """Take an answer's own quotation out of the draft; the ids of the spans that went."""
    quoted = _own_quote(state, question)
    stated = [b for b in state.draft.section(f"answer.{question.id}") if b.computation]
    going = {b.id: b for b in ([quoted] if quoted else []) + stated}
    place = slot_of(state, question).model_copy(update={"depends_on": ()})
    draft = state.draft.swap(list(going), []).replace([place])
    return state.model_copy(update={"draft": draft}), [s.id for b in going.values() for s in b.spans]


def _unchain(state: ResearchState, question: SubQuestion) -> tuple[ResearchState, list[str]]:
    """The draft without the sentence that led to an answer, and the ids of the spans that went; what is pinned stays."""
    block = state.draft.block(blocks.hop_of(question))
    if block is None or any(s.status == "pinned" for s in block.spans):
        return state, []
    draft = state.draft.swap([block.id], [])
    marked = [s.model_copy(update={"leads": False}) for b in draft.section(block.section) for s in b.spans if s.leads]
    return state.model_copy(update={"draft": draft.replace(marked)}), [s.id for s in block.spans]


def _without_others(state: ResearchState, question: SubQuestion) -> tuple[ResearchState, list[str]]:
    """The draft without the sentences that gave other figures beside an answer that fell, but the one that the answer now rests on, and
    what a person pinned; and the ids of the spans that went.
    """
    rests = quote_of(state, question)
    stand = [b for b in state.draft.section(f"answer.{question.id}") if b.id.startswith(blocks.beside_of(question))]
    going = [b for b in stand if b != rests and not any(s.status == "pinned" for s in b.spans)]
    draft = state.draft.swap([b.id for b in going], [])
    return state.model_copy(update={"draft": draft}), [s.id for b in going for s in b.spans]


def revised(revision: Revision, step: str = "check") -> Event:
    nothing = "taken out" if revision.is_gone else "not established"
    return Event(
        step=step,
        kind="revised",
        text=f"“{revision.old}” → “{revision.new or nothing}” ({revision.reason})",
        data=revision.model_dump(mode="json"),
    )


def replace_quotation(state: ResearchState, block: Block, passage: Passage, start: int, end: int) -> ResearchState:
    """Put the sentence [start, end) of a source whole in the place of another: a quotation is never edited inside."""
    state = refer(state, passage)
    words = sentence_parts(passage, start, end)
    fresh = blocks.quotation(block.id, block.section, words, passage, block.about, blocks.turn_of(block) + 1)
    draft = state.draft.swap([block.id], [fresh])
    needs, gone = tuple(s.id for s in fresh.words), {s.id for s in block.spans}
    resting = [s for s in draft.spans() if gone & set(s.depends_on)]
    draft = draft.replace([s.model_copy(update={"depends_on": needs}) for s in resting if s.role == "words"])
    whole = blocks.whole_of(passage, words)
    node = state.graph.get(block.about).model_copy(update={"text": whole.quote, "support": (whole,)})
    return state.model_copy(update={"draft": draft, "graph": state.graph.put(node)})


def follow(state: ResearchState, question: SubQuestion) -> ResearchState:
    """After an answer changed: the sub-questions that rest on it lose theirs, and are asked again with the new one."""
    for later in (q for q in state.facts if question.id in q.depends_on):
        stale = [h.model_copy(update={"status": "refuted"}) for h in state.graph.answers(later.id)]
        place = slot_of(state, later)
        if place.status == "pinned":
            continue
        opened = place.model_copy(update={"status": "open"})
        read = tuple(r for r in state.read if not r.startswith(f"{later.id}/"))
        state = state.model_copy(
            update={"graph": state.graph.put(*stale), "draft": state.draft.replace([opened]), "read": read}
        )
        text = resolved(later, known_answers(state))
        if text:
            slots = tuple(f"{q}.answer" for q in later.depends_on)
            state = ask(state, [Query(text=text, question=later.id, reason="question", slots=slots)])
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


def _ask_about(state: ResearchState, block: Block) -> ResearchState:
    """What else is said of a quotation's names becomes a query: the sub-question's words and the names, nothing else of it."""
    question = next(q for q in state.questions if q.id == state.graph.get(block.about).question)
    names = [s for s in block.words if s.kind == "ENTITY"]
    text = resolved(question, known_answers(state))
    if text is None or not names:
        return state
    fresh = [s for s in names if not content(s.text) <= content(text)]
    words = " ".join((text, *dict.fromkeys(s.text for s in fresh)))
    slots = tuple(s.id for s in fresh)
    return ask(state, [Query(text=words, question=question.id, reason="check", slots=slots)])


def _findings(state: ResearchState, numbers: Numbers, question: SubQuestion) -> Events:
    """Add the sentences of held evidence that say most about the answer and the question, each once, a source at a time."""
    answer = best_answer(state, numbers, question)
    if answer is None:
        return state
    written = [b.text for b in state.draft.blocks if b.kind == "quotation"]
    used: set[str] = set()
    for score, passage, start, end, text in _ranked_sentences(state, numbers, question, answer):
        if len(used) >= state.budget.claims or score < numbers.related:
            break
        if passage.source.id in used or any(_alike(text, other, numbers.alike) for other in written):
            continue
        state, claim = quote(state, "findings", question.id, passage, start, end)
        block = state.draft.block(claim.id)
        assert block is not None, "it was put there just now"
        state = _ask_about(state, block)
        used.add(passage.source.id)
        written.append(text)
        yield Event(step="revise", kind="wrote", text=text, data={"span": block.spans[0].id, "text": text})
    return state


def _ranked_sentences(
    state: ResearchState, numbers: Numbers, question: SubQuestion, answer: Hypothesis
) -> list[tuple[float, Passage, int, int, str]]:
    """(score, passage, start, end, text) of sentences read for a sub-question that stand on their own, the best first."""
    said, asked = content(answer.text), content(resolved(question, known_answers(state)) or question.asked)
    read = {r.split("/", 1)[1] for r in state.read if r.startswith(f"{question.id}/")}
    found = []
    for passage in (p for p in state.evidence if p.id in read):
        for start, end in sentences_of(passage):
            text = passage.text[start - passage.start : end - passage.start]
            if _ENDS.search(text) and len(content(text)) >= 5 and len(text) < 320 and not _LEANS.search(text):
                score = numbers.finding * overlap(said, text) + (1 - numbers.finding) * overlap(asked, text)
                found.append((score, passage, start, end, text))
    return sorted(found, key=lambda f: -f[0])


def _alike(one: str, other: str, share: float) -> bool:
    a, b = content(one), content(other)
    return len(a & b) >= share * min(len(a), len(b))
