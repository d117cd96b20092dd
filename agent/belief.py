"""What an answer that was read is believed: for what the model says of it, for where it stands, and for who else says it."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.copies import clusters

from . import late, thresholds
from .draft import Support
from .drafting import believed_answers
from .evidence_text import content, overlap, same_answer, sentence_at
from .hypotheses import Edge, Hypothesis, Relation
from .numbers import Numbers, log_odds
from .questions import resolved
from .standing import supporting
from .state import Candidate, ResearchState, SubQuestion, Tools, Verdict

ANSWERS = 12  # rival answers that are kept of a sub-question


def agree(
    state: ResearchState, numbers: Numbers, question: SubQuestion, candidates: Sequence[Candidate]
) -> ResearchState:
    """Every independent source in which the same answer was read adds belief once; ten copies of one text count as one."""
    graph = state.graph
    read_ones = [h for h in graph.answers(question.id) if h.computation is None]
    before = [p for h in read_ones for p in supporting(state, h)]
    number = clusters([state.passage(p) for p in dict.fromkeys((*before, *(c.passage for c in candidates)))])
    for hypothesis in read_ones:
        agreeing = {number[p] for p in supporting(state, hypothesis)}
        for c in candidates:
            enough = c.probability >= numbers.agreeing
            if enough and same_answer(c.text, hypothesis.text) and number[c.passage] not in agreeing:
                agreeing.add(number[c.passage])
                weight = numbers.agreement * c.probability
                graph = graph.link(
                    Edge(source=c.passage, relation=Relation.SUPPORTS, target=hypothesis.id, weight=weight)
                )
    return state.model_copy(update={"graph": graph})


def hypothesise(
    state: ResearchState,
    tools: Tools,
    question: SubQuestion,
    candidates: Sequence[Candidate],
    in_its_words: bool = False,
) -> ResearchState:
    """A hypothesis for every new answer, the likeliest reading first; `in_its_words` for every new wording of one too. All are weighed
    anew by where they stand among what was read by now.
    """
    graph = state.graph
    for c in sorted(candidates, key=lambda c: -c.probability):
        known = [h for h in graph.answers(question.id) if h.status != "refuted"]
        is_known = any(h.text == c.text if in_its_words else same_answer(h.text, c.text) for h in known)
        if is_known or (len(known) >= ANSWERS and not in_its_words):
            continue
        node = hypothesis(state.model_copy(update={"graph": graph}), tools, question, c, in_its_words)
        graph = graph.put(node).link(Edge(source=node.id, relation=Relation.ANSWERS, target=question.id))
    state = state.model_copy(update={"graph": graph})
    return state.model_copy(update={"graph": graph.put(*placed(state, tools, question, graph.answers(question.id)))})


def hypothesis(
    state: ResearchState, tools: Tools, question: SubQuestion, candidate: Candidate, is_end: bool = False
) -> Hypothesis:
    """A reading as a rival answer, believed for what the model says of it, before it is `placed`.

    What `is_end` of a chain was read beside its beginning, and stays where it is.
    """
    count = 1 + sum(h.question == question.id and h.kind == "answer" for h in state.graph.hypotheses)
    support = Support(passage=candidate.passage, quote=candidate.text, start=candidate.start, end=candidate.end)
    belief = tools.numbers.prior + tools.numbers.reading * log_odds(candidate.probability)
    return Hypothesis(
        id=f"{question.id}.h{count}",
        question=question.id,
        text=candidate.text,
        kind="answer",
        belief=belief - (0.0 if is_end else astray(state, tools, question, candidate)),
        is_end=is_end,
        read=candidate.probability,
        support=(support,),
    )


def placed(
    state: ResearchState, tools: Tools, question: SubQuestion, answers: Sequence[Hypothesis]
) -> list[Hypothesis]:
    """The answers that were read in words, each believed for how much of what is asked its sentence holds, under what heads that, and
    less by how far its passage is behind the nearest that was read; what it was given for that before is taken back.
    """
    read = [h for h in answers if h.computation is None and not h.is_end]
    if tools.words is None or not read:
        return list(answers)
    gained = where(state, tools, question, read) @ (tools.numbers.holds, -tools.numbers.behind)
    moved = {
        h.id: h.model_copy(update={"belief": h.belief - h.place + g, "place": g})
        for h, g in zip(read, map(float, gained), strict=True)
    }
    return [moved.get(h.id, h) for h in answers]


def where(state: ResearchState, tools: Tools, question: SubQuestion, read: Sequence[Hypothesis]) -> late.Matrix:
    """[n, 2], how much of the question the sentence of each answer holds, and how far its passage is behind (`late.standing`)."""
    assert tools.words is not None, "asked only where words are told"
    text = resolved(question, believed_answers(state, tools.numbers)) or question.text
    spots = []
    for h in read:
        own = state.passage(h.support[0].passage)
        spots.append((own, *sentence_at(own, h.support[0].start, h.support[0].end)))
    known = [p for p in state.firm if f"{question.id}/{p.id}" in state.read]
    number = clusters(known)  # ten copies of a text make its words no commoner
    known = list({number[p.id]: p for p in reversed(known)}.values())
    return late.standing(text, spots, known, tools.words)


def astray(state: ResearchState, tools: Tools, question: SubQuestion, candidate: Candidate) -> float:
    """What an answer loses when another kind of figure is likelier asked for, and when the words around speak of none of its names."""
    text = resolved(question, believed_answers(state, tools.numbers)) or question.text
    passage = state.passage(candidate.passage)
    (suits,) = tools.suits(text, [(passage.text, candidate.start - passage.start, candidate.end - passage.start)])
    spoken = " ".join((passage.source.title, *passage.path, passage.text))
    names = _names(text)
    foreign = bool(names) and all(overlap(content(name), spoken) <= thresholds.SHIPPED.named for name in names)
    return tools.numbers.foreign * foreign - tools.numbers.suits * suits


def _names(text: str) -> list[str]:
    """The names in a text. Neighbours of one with a figure in it, such as LLaDA2.0-flash, differ in a letter: other things."""
    return [text[s:e] for s, e, kind in typed_spans(text) if kind is MaskKind.ENTITY]


def verdict_edge(passage: str, hypothesis: Hypothesis, verdict: Verdict, numbers: Numbers) -> Edge:
    """What one verdict is worth: nothing where the model's verdicts were never measured."""
    odds = log_odds(verdict.supports / (verdict.supports + verdict.refutes + verdict.silent))
    weight = max(-numbers.verdict_most, min(numbers.verdict_most, numbers.verdict * odds))
    relation = Relation.SUPPORTS if weight >= 0 else Relation.REFUTES
    return Edge(source=passage, relation=relation, target=hypothesis.id, weight=weight)
