"""The first three steps: what to ask, what is found, and what each passage makes of each hypothesis."""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Sequence

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.types import Passage

from . import report
from .draft import Support
from .drafting import ask, believed_answers, best_answer
from .forms import (
    alternatives,
    clusters,
    content,
    overlap,
    resolved,
    same_answer,
    sentence_at,
    subquestions,
    without_lead,
)
from .hypotheses import Edge, Hypothesis, Relation, log_odds
from .state import Candidate, Event, Query, ResearchState, SubQuestion, Tools, Verdict

LEAST = 0.04  # the least probability with which a span of a passage becomes a hypothesis
SENTENCE, AROUND, TOPIC = 2.0, 6.0, 7.0  # log-odds lost with the question's words, and what a passage on topic gains
MISSED = 2.0  # log-odds lost by an answer to "how many crates has B-12" whose sentence has no crates, or to "how fast" no speed
FOREIGN = 6.0  # log-odds lost by an answer read where nothing that the question names is spoken of
RANK = 0.3  # log-odds lost for each passage found before the one an answer was read in
RIVALS = 5  # rival answers of a sub-question that are judged against passages
JOINT = 4  # passages laid together on one canvas
BRIDGES = 3  # entities of the best passages that become queries of the next round
UNSURE = 0.37  # an answer believed less than this sends the search on over bridges

_LENGTHS = r"mm|cm|km|met(?:er|re)s?|kilomet(?:er|re)s?|miles?|feet|foot|ft|inch(?:es)?|yards?|\d\s?m"
_MEASURES = {  # what is asked for by "how ...", and the words that its measure is given in
    "fast": r"per (?:second|minute|hour|day)|\w+/s|km/h|mph|knots|times|speeds?|faster|\d\s?[x×]",
    "tall high deep wide far": _LENGTHS + "|stor(?:e?y|eys|ies)|light.years",
    "heavy": r"kg|kilograms?|grams?|tons?|tonnes?|pounds?|lbs?|ounces?|weigh\w*",
    "old": "years?|months?|days?|aged?|born|million|billion|century",
    "big large": _LENGTHS + r"|acres?|hectares?|square|[KMGT]B|parameters|billion|million|people|inhabitants",
}
_MEASURED = re.compile(r"\bhow (" + "|".join(" ".join(_MEASURES).split()) + r")\b", re.IGNORECASE)

_COUNTED = re.compile(r"\bhow many (?:more |fewer |different |active )?(\w+)", re.IGNORECASE)


def plan(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """The question becomes sub-questions, a draft of open slots, and the first queries."""
    questions = tuple(subquestions(state.question))
    state = state.model_copy(update={"questions": questions})
    state = state.model_copy(update={"draft": report.skeleton(state)})
    edges = [Edge(source=q.id, relation=Relation.DEPENDS_ON, target=other) for q in questions for other in q.depends_on]
    state = state.model_copy(update={"graph": state.graph.link(*edges)})
    yield Event(
        step="plan",
        kind="planned",
        text="; ".join(q.asked for q in questions),
        data={"questions": [q.model_dump(mode="json") for q in questions]},
    )
    return _ask_frontier(state)


def _ask_frontier(state: ResearchState) -> ResearchState:
    """A query for every sub-question whose own questions are answered."""
    answers = believed_answers(state)
    ready = [(q, resolved(q, answers)) for q in state.questions]
    return ask(state, [Query(text=text, question=q.id, reason="question") for q, text in ready if text])


def search(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """Ask every source all queries not yet asked; what is new joins the evidence, what failed is kept by name."""
    waiting = [q for q in state.queries if not q.asked]
    held = {p.id for p in state.evidence}
    fresh: list[Passage] = []
    failures = list(state.failures)
    for query in waiting:
        found = tools.search([query.text], state.budget.passages)
        new = [h.passage for h in found.hits if h.passage.id not in held]
        held |= {p.id for p in new}
        fresh += new
        yield Event(
            step="search",
            kind="searched",
            text=f"“{query.text}” ({query.reason}): {len(found.hits)} passages, {len(new)} new",
            data={"query": query.text, "reason": query.reason, "found": [h.passage.id for h in found.hits]},
        )
        for failure in (f for f in found.failures if f not in failures):
            failures.append(failure)
            yield Event(
                step="search",
                kind="failed",
                text=failure.message if failure.name in failure.message else f"{failure.name}: {failure.message}",
                data=failure.model_dump(mode="json"),
            )
    return state.model_copy(
        update={
            "round": state.round + 1,
            "queries": tuple(q.model_copy(update={"asked": True}) for q in state.queries),
            "evidence": state.evidence + tuple(fresh),
            "fresh": tuple(p.id for p in fresh),
            "failures": tuple(failures),
        }
    )


def weigh(state: ResearchState, tools: Tools) -> Generator[Event, None, ResearchState]:
    """Read unread passages for each sub-question that can be asked, and move belief in its rival answers."""
    for question in state.questions:
        text = resolved(question, believed_answers(state))
        settled = state.version > 1 and state.draft.span(f"{question.id}.answer").status in ("filled", "pinned")
        if text is None or settled:
            continue
        state = yield from read(state, tools, question, text, unread(state, question))
    return _ask_frontier(state)


def unread(state: ResearchState, question: SubQuestion) -> list[Passage]:
    return [p for p in state.evidence if f"{question.id}/{p.id}" not in state.read]


def read(
    state: ResearchState, tools: Tools, question: SubQuestion, text: str, passages: Sequence[Passage]
) -> Generator[Event, None, ResearchState]:
    """Answers read in `passages` become hypotheses; verdicts and independent agreement move their belief."""
    if not passages:
        return state
    state = state.model_copy(update={"read": (*state.read, *(f"{question.id}/{p.id}" for p in passages))})
    before = best_answer(state, question)
    told = map(without_lead, tools.writer.answers(text, question.kind, passages, 2))
    candidates = [c for c in told if _is_news(c, text)]
    state = _hypothesise(state, question, candidates, passages)
    state = _agree(state, question, candidates)
    state = _judge(state, tools, question, text)
    state = _together(state, tools, question, text)
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"][:RIVALS]
    for rival in rivals[:3]:
        yield Event(
            step="weigh",
            kind="believed",
            text=f"{question.asked} {rival.text} ({rival.probability:.2f})",
            data={
                "hypothesis": rival.id,
                "text": rival.text,
                "probability": rival.probability,
                "question": question.id,
            },
        )
    best = best_answer(state, question)
    if before and best and best.id != before.id:
        yield Event(
            step="weigh",
            kind="believed",
            text=f"belief moved from {before.text} to {best.text}",
            data={"from": before.id, "to": best.id},
        )
    if best is None or best.probability < UNSURE:
        state = _bridge(state, tools, question, text)
    return state


def _is_news(candidate: Candidate, question: str) -> bool:
    """Whether a candidate is likely enough, and new: not in the question, unless the question names it as a choice."""
    if candidate.probability < LEAST:
        return False
    if options := alternatives(question):
        return any(same_answer(candidate.text, option) for option in options)
    words = content(candidate.text)
    return not (words and words <= content(question))


def _hypothesise(
    state: ResearchState, question: SubQuestion, candidates: Sequence[Candidate], passages: Sequence[Passage]
) -> ResearchState:
    """A hypothesis for every new answer, the likeliest reading first; the later a passage was found, the less it is believed."""
    rank = {p.id: n for n, p in enumerate(passages)}
    graph = state.graph
    for c in sorted(candidates, key=lambda c: -c.probability):
        known = [h for h in graph.answers(question.id) if h.status != "refuted"]
        if any(same_answer(h.text, c.text) for h in known) or len(known) >= 12:
            continue
        count = 1 + sum(h.question == question.id and h.kind == "answer" for h in graph.hypotheses)
        support = Support(passage=c.passage, quote=c.text, start=c.start, end=c.end)
        belief = log_odds(c.probability) - RANK * rank[c.passage] - astray(state, question, c)
        node = Hypothesis(
            id=f"{question.id}.h{count}",
            question=question.id,
            text=c.text,
            kind="answer",
            belief=belief,
            support=(support,),
        )
        graph = graph.put(node).link(Edge(source=node.id, relation=Relation.ANSWERS, target=question.id))
    return state.model_copy(update={"graph": graph})


def astray(state: ResearchState, question: SubQuestion, candidate: Candidate) -> float:
    """What an answer loses when its sentence, and the passage and title around it, do not speak of what is asked about.

    Below zero, a gain, when they speak of nearly all of it. The weights were fitted on questions of QED.
    """
    text = resolved(question, believed_answers(state)) or question.text
    about = content(text)
    passage = state.passage(candidate.passage)
    start, end = sentence_at(passage, candidate.start, candidate.end)
    told = passage.text[start - passage.start : end - passage.start]
    spoken = f"{passage.source.title} {passage.text}"
    around = overlap(about, spoken)
    counted = _COUNTED.search(text)
    missed = counted is not None and overlap(content(counted[1]), told) < 1
    missed |= not _is_measured(text, told)
    names = _names(text)
    missed |= any(name.lower() not in told.lower() for name in names if any(c.isdigit() for c in name))
    foreign = bool(names) and all(overlap(content(name), spoken) <= 0.5 for name in names)
    return SENTENCE * (1 - overlap(about, told)) + AROUND * (1 - around) + MISSED * missed + FOREIGN * foreign - TOPIC


def _is_measured(question: str, told: str) -> bool:
    """Whether a sentence gives a measure of the kind that is asked for; true where none is."""
    asked = _MEASURED.search(question)
    if asked is None:
        return True
    units = next(words for names, words in _MEASURES.items() if asked[1].lower() in names.split())
    return re.search(rf"(?<![a-z])(?:{units})(?![a-z])", told, re.IGNORECASE) is not None


def _names(text: str) -> list[str]:
    """The names in a text. Neighbours of one with a figure in it, such as LLaDA2.0-flash, differ in a letter: other things."""
    return [text[s:e] for s, e, kind in typed_spans(text) if kind is MaskKind.ENTITY]


def _agree(state: ResearchState, question: SubQuestion, candidates: Sequence[Candidate]) -> ResearchState:
    """Every independent source in which the same answer was read adds belief once; ten copies of one text count as one."""
    number = clusters(
        [state.passage(c.passage) for c in candidates] + [state.passage(s) for s in _sources(state, question)]
    )
    graph = state.graph
    for hypothesis in graph.answers(question.id):
        heard = {number[hypothesis.support[0].passage]} if hypothesis.support[0].passage in number else set()
        for c in candidates:
            if same_answer(c.text, hypothesis.text) and number[c.passage] not in heard and c.probability >= 0.15:
                heard.add(number[c.passage])
                edge = Edge(
                    source=c.passage, relation=Relation.SUPPORTS, target=hypothesis.id, weight=0.8 * c.probability
                )
                graph = graph.link(edge)
    return state.model_copy(update={"graph": graph})


def _sources(state: ResearchState, question: SubQuestion) -> list[str]:
    return [h.support[0].passage for h in state.graph.answers(question.id)]


def _judge(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """Verdict slots: does the passage an answer was read in say that this is the answer?"""
    judged = {(e.source, e.target) for e in state.graph.edges if e.relation is not Relation.ANSWERS}
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"][:RIVALS]
    new = [h for h in rivals if (h.support[0].passage, h.id) not in judged]
    verdicts = tools.writer.verdicts([(f"{text} {h.text}", state.passage(h.support[0].passage).text) for h in new])
    edges = [verdict_edge(h.support[0].passage, h, v) for h, v in zip(new, verdicts, strict=True)]
    return state.model_copy(update={"graph": state.graph.link(*edges)})


def verdict_edge(passage: str, hypothesis: Hypothesis, verdict: Verdict) -> Edge:
    """What one verdict is worth: at most 1.5 in log-odds, nothing where the passage is silent."""
    weight = 0.5 * (math.log(verdict.supports + 0.02) - math.log(verdict.refutes + verdict.silent + 0.02))
    relation = Relation.SUPPORTS if weight >= 0 else Relation.REFUTES
    return Edge(source=passage, relation=relation, target=hypothesis.id, weight=max(-1.5, min(1.5, weight)))


def _together(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """The passages of the best rivals on one canvas: what the model fills in when it sees them side by side gains belief."""
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"]
    shown = list(dict.fromkeys(h.support[0].passage for h in rivals))[:JOINT]
    if len(shown) < 2:
        return state
    passages = [state.passage(p) for p in shown]
    joint = tools.writer.choose(text, question.kind, passages)
    chosen = next((h for h in rivals if joint.passage and same_answer(h.text, joint.text)), None)
    if chosen is None:
        return state
    edge = Edge(
        source=f"round {state.round}", relation=Relation.SUPPORTS, target=chosen.id, weight=1.2 * joint.probability
    )
    return state.model_copy(update={"graph": state.graph.link(edge)})


def _bridge(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """An ENTITY slot over the passages found: the names it holds that the question does not become the next hop's queries."""
    words = content(text)
    passages = [p for p in state.evidence if p.id in state.fresh][:JOINT]
    names = sorted(tools.writer.answers(text, "ENTITY", passages, 3), key=lambda c: -c.probability)
    fresh = [c.text for c in names if content(c.text) and not content(c.text) <= words]
    bridges = list(dict.fromkeys(fresh))[:BRIDGES]
    return ask(state, [Query(text=f"{name}: {text}", question=question.id, reason="bridge") for name in bridges])
