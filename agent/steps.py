"""The first three steps: what to ask, what is found, and what each passage makes of each hypothesis."""

from __future__ import annotations

from collections.abc import Sequence

from palimpsest.retrieval.types import Failure, Found, Passage

from . import blocks, following, hops, plans, thresholds
from .answer_kinds import holds_figure, names_nobody
from .asking import asks_several
from .belief import agree, hypothesise, verdict_edge
from .choosing import first_queries
from .dates import in_force
from .denials import denied
from .draft import Support
from .drafting import ask, believed_answers, best_answer, list_open
from .evidence_text import content, names_several, same_answer, sentence_at, tidy
from .figures import is_other_measure
from .hypotheses import Edge, Relation, Rivalry
from .numbers import Numbers
from .planned import asks_what_came, planned_ones
from .questions import alternatives, resolved, subquestions
from .state import Candidate, Event, Events, Find, Note, Query, ResearchState, Steps, SubQuestion, Tools
from .tabling import IN_RECORDS, look_up
from .watching import at

# Bounds of work, not of belief: a canvas of four passages is denoised in the time that the embedded model was measured with.
RIVALS = 5  # rival answers of a sub-question that are judged against passages
JOINT = 4  # passages laid together on one canvas
RANKED = 6  # names of these passages that are looked at for the next hop
BRIDGES = 3  # of them, those that become queries of the next round
PARTS = 6  # parts of a question that are asked; a page of them would take minutes and be read by nobody
ANSWERS = 12  # rival answers that are kept of a sub-question


def plan(state: ResearchState, tools: Tools) -> Steps:
    """The question becomes sub-questions, a draft of open slots, and the first queries."""
    language = tools.foreign(state.question)
    plan_of = _quoting if language and tools.reader else tools.reader.plan if tools.reader else subquestions
    planned = plans.questions(state.plan, plan_of) if state.plan else plan_of(state.question)
    questions = tuple(_with_operations(planned[:PARTS], tools))
    state = state.model_copy(update={"questions": questions})
    state = state.model_copy(update={"draft": blocks.skeleton(state)})
    if len(planned) > PARTS:
        left_out = f"The question has {len(planned)} parts; the first {PARTS} were asked. Ask the others by themselves."
        state = list_open(state, "parts", left_out)
    if language:
        said = f"The question is in {language}, which the model does not read: what was found is quoted, and no answer is filled in."
        state = list_open(state, "language", said)
    edges = [Edge(source=q.id, relation=Relation.DEPENDS_ON, target=other) for q in questions for other in q.depends_on]
    state = state.model_copy(update={"graph": state.graph.link(*edges)})
    yield Event(
        step="plan",
        kind="planned",
        text="; ".join(dict.fromkeys(q.asked for q in questions)),
        data={"questions": [q.model_dump(mode="json") for q in questions], "approved": bool(state.plan)},
    )
    state = ask(state, [q for part in questions if part.is_open for q in first_queries(part)])
    return _ask_frontier(state, tools.numbers)


def _quoting(question: str) -> list[SubQuestion]:
    """A question that is not taken apart: its report quotes what was found."""
    return [SubQuestion(id="q1", text=question, asked=question, form="open")]


def _with_operations(questions: Sequence[SubQuestion], tools: Tools) -> list[SubQuestion]:
    """The parts with what each asks to be done with rows; a question for sections alone is asked of tables beside them.

    What asks for several things has a list or sections beside the one answer that may be read.
    """
    records = tools.records
    planned = [q.model_copy(update={"operation": records.operation(q.text)}) if records else q for q in questions]
    lists = [q for q in planned if not q.is_open and (q.operation == "list" or asks_several(q.text))]
    if lists and not any(q.is_open for q in planned):  # what no table lists is quoted
        whole = {"id": _free_id(planned), "form": "list", "depends_on": ()}
        tentative = [q.model_copy(update={"tentative": True}) if q in lists else q for q in planned]
        return [*tentative, lists[0].model_copy(update=whole)]
    if records is None or any(not q.is_open or q.form == "comparison" for q in planned):
        return planned  # what is compared has a table of its own
    asked = next((q for q in planned if q.operation != "value"), planned[0])
    fact = {
        "id": _free_id(planned),
        "form": "fact",
        "tentative": True,
        "by_record": True,
        "things": (),
        "attributes": (),
    }
    return [asked.model_copy(update=fact), *planned]


def _free_id(questions: Sequence[SubQuestion]) -> str:
    """An id that no question has: parts that were left out leave gaps."""
    return f"q{1 + max(int(q.id.removeprefix('q')) for q in questions)}"


def _ask_frontier(state: ResearchState, numbers: Numbers) -> ResearchState:
    """A query for every sub-question whose own questions are answered."""
    answers = believed_answers(state, numbers)
    ready = [(q, resolved(q, answers)) for q in state.facts]
    return ask(state, [Query(text=text, question=q.id, reason="question") for q, text in ready if text])


def search(state: ResearchState, tools: Tools) -> Steps:
    """Ask every source all queries not yet asked; what is new joins the evidence, what failed is kept by name."""
    state = state.model_copy(update={"round": state.round + 1, "fresh": ()})
    for query in [q for q in state.queries if not q.asked]:
        if tools.watch:
            tools.watch.note(f"asking “{query.text}”")
        found = _searched(state, tools, query)
        held, banned = {p.id for p in state.evidence}, state.banned
        fresh = tuple(h.passage for h in found.hits if h.passage.id not in held and h.passage.source.id not in banned)
        failures = tuple(f for f in dict.fromkeys(found.failures) if f not in state.failures)
        state = _found(state, query, found, fresh, failures)
        yield Event(
            step="search",
            kind="searched",
            text=f"“{query.text}” ({query.reason}): {len(found.hits)} passages, {len(fresh)} new",
            data={
                "query": query.text,
                "reason": query.reason,
                "slots": list(query.slots),
                "found": [h.passage.id for h in found.hits],
                "calls": [c.model_dump(mode="json", exclude={"seconds"}) for c in found.calls],
            },
        )
        for failure in failures:
            yield Event(
                step="search",
                kind="failed",
                text=failure.message if failure.name in failure.message else f"{failure.name}: {failure.message}",
                data=failure.model_dump(mode="json"),
            )
        yield state
    return state


def _searched(state: ResearchState, tools: Tools, query: Query) -> Found:
    """What a query finds; of an open question more is asked for where the passages found are short."""
    if not any(q.id == query.question and q.is_open for q in state.questions):
        return tools.search([query.text], state.budget.passages)
    found = tools.search([query.text], state.budget.reading)
    wanted = state.budget.asked_for([len(h.passage.text) for h in found.hits])
    if wanted <= len(found.hits):
        return found
    more = tools.search([query.text], wanted)
    return more.model_copy(update={"calls": (*found.calls, *more.calls), "failures": (*found.failures, *more.failures)})


def _found(
    state: ResearchState, query: Query, found: Found, fresh: tuple[Passage, ...], failures: tuple[Failure, ...]
) -> ResearchState:
    """The state with one query asked, what it found that is new, and at which rank each passage came."""
    banned = state.banned
    finds = tuple(
        Find(passage=h.passage.id, query=query.text, rank=n, score=h.score)
        for n, h in enumerate(found.hits, 1)
        if h.passage.source.id not in banned
    )
    asked = tuple(q.model_copy(update={"asked": True}) if q == query else q for q in state.queries)
    return state.model_copy(
        update={
            "queries": asked,
            "evidence": state.evidence + fresh,
            "finds": state.finds + finds,
            "fresh": state.fresh + tuple(p.id for p in fresh),
            "failures": state.failures + failures,
        }
    )


def weigh(state: ResearchState, tools: Tools) -> Steps:
    """Read unread passages for each sub-question that can be asked, and move belief in its rival answers."""
    for question in state.facts:
        text = resolved(question, believed_answers(state, tools.numbers))
        settled = state.version > 1 and state.draft.span(f"{question.id}.answer").status in ("filled", "pinned")
        if text is not None and settled:
            state = _seconded(state, tools, question, text)
        if text is None or settled:
            continue
        new = question in state.follow_ups
        passages = following.to_read(state, tools, question, text) if new else unread(state, question)
        state = yield from read(state, tools, question, text, passages)
        yield state
    return _ask_frontier(state, tools.numbers)


def _seconded(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """A written answer with the sources among what was brought that say the same; another answer comes by contradiction alone."""
    name = state.draft.span(f"{question.id}.answer").hypothesis
    fresh = [p for p in in_force(state.firm, question.as_of) if p.id in state.fresh and _is_prose(p, tools)]
    if name is None or not fresh or question.by_record:
        return state
    written = state.graph.get(name).text
    writer = at(tools, f"{question.id}.block", [[f"{question.id}.answer"]], "new evidence")
    state, read_ones = _admitted(state, tools, question, text, writer.answers(text, question.kind, fresh, 2))
    return agree(state, tools.numbers, question, [c for c in read_ones if same_answer(c.text, written)])


def unread(state: ResearchState, question: SubQuestion) -> list[Passage]:
    """What is held and not yet read for a question; of what an open question found only what stands as near as a fact's own finds."""
    far = {f.passage for f in state.finds} - {f.passage for f in state.finds if f.rank <= state.budget.passages}
    return [p for p in state.firm if f"{question.id}/{p.id}" not in state.read and p.id not in far]


def read(state: ResearchState, tools: Tools, question: SubQuestion, text: str, passages: Sequence[Passage]) -> Events:
    """Answers read in `passages` become hypotheses; verdicts and independent agreement move their belief."""
    if not passages:
        return state
    state = state.model_copy(update={"read": (*state.read, *(f"{question.id}/{p.id}" for p in passages))})
    before = best_answer(state, tools.numbers, question)
    admitted = in_force(passages, question.as_of)
    state = yield from look_up(state, tools, question, text, admitted)
    admitted = [p for p in admitted if _is_prose(p, tools) and not question.by_record]
    writer = at(tools, f"{question.id}.block", [[f"{question.id}.answer"]], "question")
    state, candidates = _admitted(state, tools, question, text, writer.answers(text, question.kind, admitted, 2))
    state = hypothesise(state, tools, question, candidates)
    state = agree(state, tools.numbers, question, candidates)
    state = _judge(state, tools, question, text)
    several = not question.by_record and hops.takes_several(tools, text)
    state = (_hops if several else _together)(state, tools, question, text)
    state = _end_of_chain(state, tools.numbers, question, text)
    state = hops.held(state, tools.numbers, question, text) if several else state
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"][:RIVALS]
    for rival in rivals[:3]:
        yield Event(
            step="weigh",
            kind="believed",
            text=f"{question.asked} {rival.text}",
            data={
                "hypothesis": rival.id,
                "text": rival.text,
                "probability": rival.probability,
                "question": question.id,
            },
        )
    best = best_answer(state, tools.numbers, question)
    if before and best and best.id != before.id:
        yield Event(
            step="weigh",
            kind="believed",
            text=f"belief moved from {before.text} to {best.text}",
            data={"from": before.id, "to": best.id},
        )
    leads_on = several and state.round == 1
    is_unsure = best is None or best.probability < tools.numbers.unsure or names_nobody(text, best.text)
    if not question.by_record and (leads_on or is_unsure):
        state = _bridge(state, tools, question, text)
    return state


def _admitted(
    state: ResearchState, tools: Tools, question: SubQuestion, text: str, read_ones: Sequence[Candidate]
) -> tuple[ResearchState, list[Candidate]]:
    """The readings that may be answers, tidied; and the state with a note of what its own sentence denies."""
    tidied = [tidy(c, state.passage(c.passage), text) for c in read_ones]
    fits = tools.fits(text, [c.text for c in tidied])
    tidied = [c for c, is_fit in zip(tidied, fits, strict=True) if is_fit]
    candidates = [c for c in tidied if _is_news(c, text, tools.numbers) and not _is_other(state, c, text)]
    candidates = [c for c in candidates if question.operation != "list" or names_several(c.text)]
    state, candidates = _come_true(state, tools.numbers, question, text, candidates)
    return _not_denied(state, tools, question, text, candidates)


def _hops(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """What is read of all that was read so far when both ends of a chain lie on one canvas; in its words, where they differ."""
    seen = [
        p for p in in_force(state.firm, question.as_of) if f"{question.id}/{p.id}" in state.read and _is_prose(p, tools)
    ]
    found = hops.read(state, tools, question, text, seen)
    state, candidates = _admitted(state, tools, question, text, found.answers)
    state = hypothesise(state, tools, question, candidates, in_its_words=True)
    return hops.weighed(state, tools.numbers, question, found.model_copy(update={"answers": tuple(candidates)}))


def _is_prose(passage: Passage, tools: Tools) -> bool:
    """Whether spans of a passage may answer: rows are read as records."""
    return tools.records is None or passage.kind not in IN_RECORDS


def _is_news(candidate: Candidate, question: str, numbers: Numbers) -> bool:
    """Whether a candidate is likely enough, and new: not in the question, unless the question names it as a choice."""
    if candidate.probability < numbers.least:
        return False
    if options := alternatives(question):
        return any(same_answer(candidate.text, option) for option in options)
    words = content(candidate.text)
    return not (words and words <= content(question))


def _is_other(state: ResearchState, candidate: Candidate, question: str) -> bool:
    """Whether a candidate measures something else than is asked for: a weight for a time, a day of the month for a number."""
    passage = state.passage(candidate.passage)
    return is_other_measure(question, passage.text, candidate.start - passage.start, candidate.end - passage.start)


def _not_denied(
    state: ResearchState, tools: Tools, question: SubQuestion, text: str, candidates: Sequence[Candidate]
) -> tuple[ResearchState, list[Candidate]]:
    """The candidates that their own sentences do not deny; the likeliest of the others is kept as a note with its sentence."""
    found = denied(tools.writer, tools.numbers, text, [(c, state.passage(c.passage)) for c in candidates])
    return _noted(state, tools.numbers, question, found, "denies {}"), _without(candidates, found)


def _come_true(
    state: ResearchState, numbers: Numbers, question: SubQuestion, text: str, candidates: Sequence[Candidate]
) -> tuple[ResearchState, list[Candidate]]:
    """The candidates that their own sentences do not tell as planned, where a figure or date of what came is asked for; a note too."""
    told = [(c, state.passage(c.passage)) for c in candidates if holds_figure(c.text)]
    found = planned_ones(told) if asks_what_came(text) else []
    return _noted(state, numbers, question, found, "gives {} as planned or expected"), _without(candidates, found)


def _without(candidates: Sequence[Candidate], found: Sequence[tuple[Candidate, str]]) -> list[Candidate]:
    gone = [c for c, _ in found]
    return [c for c in candidates if c not in gone]


def _noted(
    state: ResearchState, numbers: Numbers, question: SubQuestion, found: Sequence[tuple[Candidate, str]], says: str
) -> ResearchState:
    """The state with a note of the likeliest of readings that are no answers, where it is likely: what its sentence `says` of it."""
    if not found:
        return state
    worst, said = max(found, key=lambda f: f[0].probability)
    passage = state.passage(worst.passage)
    start, end = sentence_at(passage, worst.start, worst.end)
    support = Support(passage=passage.id, quote=said, start=start, end=end)
    of_it = says.format(f"“{worst.text}”")
    note = Note(question=question.id, text=f"“{passage.source.title}” {of_it}: “{said}”", support=support)
    least = thresholds.SHIPPED.tentative if question.tentative else numbers.agreeing
    is_new = worst.probability >= least and note not in state.notes
    return state.model_copy(update={"notes": (*state.notes, note)}) if is_new else state


def _judge(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """Verdict slots: does the passage an answer was read in say that this is the answer? Not asked where verdicts were not fitted."""
    if not tools.numbers.verdict:
        return state
    judged = {(e.source, e.target) for e in state.graph.edges if e.relation is not Relation.ANSWERS}
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"][:RIVALS]
    new = [h for h in rivals if (h.support[0].passage, h.id) not in judged and h.computation is None]
    writer = at(tools, f"{question.id}.block", [[f"{h.id}.verdict"] for h in new], "verdict")
    verdicts = writer.verdicts([(f"{text} {h.text}", state.passage(h.support[0].passage).text) for h in new])
    edges = [verdict_edge(h.support[0].passage, h, v, tools.numbers) for h, v in zip(new, verdicts, strict=True)]
    return state.model_copy(update={"graph": state.graph.link(*edges)})


def _together(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """The passages of the best rivals on one canvas: what the model fills in when it sees them side by side gains belief."""
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted"]
    shown = list(dict.fromkeys(h.support[0].passage for h in rivals))[:JOINT]
    if len(shown) < 2:
        return state
    passages = [state.passage(p) for p in shown]
    writer = at(tools, f"{question.id}.block", [[f"{question.id}.answer"]], "rivals side by side")
    joint = writer.choose(text, question.kind, passages)
    state = _compared(state, tools, question, text, passages)
    chosen = next((h for h in rivals if joint.passage and same_answer(h.text, joint.text)), None)
    if chosen is None:
        return state
    weight = tools.numbers.together * joint.probability
    edge = Edge(source=f"round {state.round}", relation=Relation.SUPPORTS, target=chosen.id, weight=weight)
    return state.model_copy(update={"graph": state.graph.link(edge)})


def _compared(
    state: ResearchState, tools: Tools, question: SubQuestion, text: str, passages: Sequence[Passage]
) -> ResearchState:
    """How probable each rival is beside the others, and nothing: on the canvas on which their passages lie together."""
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted" and h.computation is None][:RIVALS]
    compare = getattr(tools.writer, "posteriors", None)  # not every writer holds answers against one another
    found = compare(text, question.kind, passages, [h.text for h in rivals]) if compare and rivals else None
    if found is None:
        return state
    rivalry = Rivalry(
        question=question.id,
        passages=tuple(p.id for p in passages),
        posteriors={h.id: share for h, share in zip(rivals, found.rivals, strict=True)},
        nothing=found.nothing,
        other=found.other,
    )
    return state.model_copy(update={"graph": state.graph.compare(rivalry)})


def _end_of_chain(state: ResearchState, numbers: Numbers, question: SubQuestion, text: str) -> ResearchState:
    """What the passage of the most believed answer leads on to: an answer read in the source it names is the end of a chain.

    So the middle of it ("the mill by the lake that Canale built": the lake) gives way where the end is nearly as believed.
    """
    rivals = [h for h in state.graph.answers(question.id) if h.status != "refuted" and h.computation is None]
    if not rivals or not numbers.chain:
        return state
    first = state.passage(rivals[0].support[0].passage)
    ends = [h for h in rivals[1:] if hops.leads_on(first, state.passage(h.support[0].passage), text)]
    edges = [Edge(source="chain", relation=Relation.SUPPORTS, target=h.id, weight=numbers.chain) for h in ends[:1]]
    return state.model_copy(update={"graph": state.graph.link(*edges)})


def _bridge(state: ResearchState, tools: Tools, question: SubQuestion, text: str) -> ResearchState:
    """The names in the passages found that lead on, and that the question does not hold, become the next hop's queries."""
    words = content(text)
    passages = [p for p in state.firm if p.id in state.fresh][:JOINT]
    writer = at(tools, f"{question.id}.block", [[f"{question.id}.bridge"]], "bridge")
    names = writer.bridges(text, passages, RANKED)
    bridges = [name for name in names if content(name) and not content(name) <= words][:BRIDGES]
    slot = (f"{question.id}.bridge",)
    return ask(
        state, [Query(text=f"{name}: {text}", question=question.id, reason="bridge", slots=slot) for name in bridges]
    )
