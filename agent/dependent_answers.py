"""Answers that rest on a sentence: asked again of the sentence that takes its place, and opened where it falls."""

from __future__ import annotations

from .belief import hypothesis, placed, verdict_edge
from .denials import denied
from .draft import Block
from .drafting import believed_answers, put_answer, quote_of, slot_of
from .evidence_text import content, same_answer, slice_of, tidy
from .hypotheses import Edge, Hypothesis, Relation
from .numbers import Numbers
from .questions import resolved
from .rivals import Rival
from .state import Candidate, Events, Reason, ResearchState, SubQuestion, Tools
from .watching import at


def answers_from(state: ResearchState, tools: Tools, block: Block, rival: Rival) -> dict[str, Hypothesis | None]:
    """What the rival sentence answers to each sub-question that rests on a claim, by id; None where it gives no answer."""
    resting = [q for q in state.facts if (quoted := quote_of(state, q)) and quoted.id == block.id]
    found: dict[str, Hypothesis | None] = {}
    for question in (q for q in resting if slot_of(state, q).status != "pinned"):
        text = resolved(
            question, {**believed_answers(state, tools.numbers), **{q: h.text for q, h in found.items() if h}}
        )
        found[question.id] = _ask_again(state, tools, question, text, rival) if text else None
    return found


def follow_answers(state: ResearchState, answers: dict[str, Hypothesis | None], reopens: frozenset[Reason]) -> Events:
    """Write what the new sentence answers, where it is another answer; what rests on such an answer is asked again."""
    for question in [q for q in state.facts if q.id in answers]:
        answer, place = answers[question.id], slot_of(state, question)
        assert answer is not None, "claims are kept whose questions the new sentence does not answer"
        rivals = state.graph.answers(question.id)
        doubted = state.graph.get(place.hypothesis).probability if place.hypothesis else None
        stale = [h.model_copy(update={"status": "refuted"}) for h in rivals if h.id != answer.id]
        edges = [Edge(source=answer.id, relation=Relation.REFUTES, target=h.id) for h in stale]
        state = state.model_copy(update={"graph": state.graph.put(answer, *stale).link(*edges)})
        reason: Reason = "dependent" if content(answer.text) == content(place.text) else "contradicted"
        state = yield from put_answer(state, question, answer, reason, doubted, follows="dependent" in reopens)
    return state


def _ask_again(state: ResearchState, tools: Tools, question: SubQuestion, text: str, rival: Rival) -> Hypothesis | None:
    """The answer that the rival sentence gives to a sub-question; None when it gives none."""
    shown = slice_of(rival.passage, rival.start, rival.end)
    writer = at(tools, f"{question.id}.block", [[f"{question.id}.answer"]], "dependent")
    answers = [tidy(c, shown, text) for c in writer.answers(text, question.kind, [shown], 1)]
    found = max(answers, key=lambda c: c.probability, default=None)
    if found is None or denied(tools.writer, tools.numbers, text, [(found, shown)]):
        return None
    if found.probability < tools.numbers.disputed and not _is_near(state, tools.numbers, question, found):
        return None
    (answer,) = placed(state, tools, question, [_known(state, hypothesis(state, tools, question, found))])
    verdict = tools.writer.verdicts([(f"{text} {answer.text}", shown.text)])[0]
    weight = verdict_edge(found.passage, answer, verdict, tools.numbers).weight
    return answer.model_copy(update={"belief": answer.belief + weight})


def _known(state: ResearchState, answer: Hypothesis) -> Hypothesis:
    """An answer that was read in this passage before is the same one, and whoever else says it still does."""
    (read,) = answer.support
    for known in state.graph.answers(answer.question):
        others = [s for s in known.support if s.passage != read.passage]
        if same_answer(known.text, answer.text) and len(others) < len(known.support):
            return answer.model_copy(update={"id": known.id, "support": (read, *others)})
    return answer


def _is_near(state: ResearchState, numbers: Numbers, question: SubQuestion, found: Candidate) -> bool:
    """Whether this answer was weighed with all others, and is believed so nearly as the written one that it would not give way."""
    written, weighed = slot_of(state, question).hypothesis, state.graph.answers(question.id)
    same = [h for h in weighed if h.text == found.text and any(s.passage == found.passage for s in h.support)]
    return written is not None and any(h.belief + numbers.margin >= state.graph.get(written).belief for h in same)


def open_answers(state: ResearchState, block: Block) -> ResearchState:
    """Open the answers that rest on a fallen block; as it was doubted, so is what was read in it."""
    for question in state.facts:
        place, quoted = slot_of(state, question), quote_of(state, question)
        if quoted is None or quoted.id != block.id or place.status != "filled" or place.hypothesis is None:
            continue
        doubted = state.graph.get(place.hypothesis).model_copy(update={"status": "refuted"})
        opened = place.model_copy(update={"status": "open"})
        state = state.model_copy(update={"graph": state.graph.put(doubted), "draft": state.draft.replace([opened])})
    return state
