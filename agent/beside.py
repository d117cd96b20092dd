"""Figures that other sources give beside an answer: what one source says to be so many, another counts by another day or otherwise.

Such a figure is no contradiction, so nothing is reopened for it: its sentence is quoted under that of the answer. Less belief is asked
for than for an answer, and less still where its passage names the figure that was answered and gives another.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from palimpsest.retrieval.types import Passage

from . import blocks, thresholds
from .dates import is_later
from .draft import Support
from .drafting import quote, slot_of, standing_quotation
from .evidence_text import same_answer, sentence_at, sentences_of
from .figures import Figure, digits_of, figures, number, single
from .hypotheses import Hypothesis
from .numbers import Numbers
from .standing import disputes
from .state import Event, Events, ResearchState, SubQuestion, Tools

MOST = 2  # figures that are named beside an answer
TELLING = 3  # digits from which a figure without a unit is hardly met by chance, by hand: "four" is said of anything


def write(state: ResearchState, tools: Tools) -> Events:
    """Quote under each figure that answers a question of this version the sentences in which other sources give other figures."""
    for question in (q for q in state.facts if q.asked_in == state.version):
        for count, rival in enumerate(named(state, tools.numbers, question), 1):
            if standing_quotation(state, rival.support[0]):
                continue
            passage = state.passage(rival.support[0].passage)
            place = _quoted(state, question, rival.support[0])
            name = f"{blocks.beside_of(question)}{count}"
            state = _without_finding(state, passage.id, place)
            state, claim = quote(state, f"answer.{question.id}", question.id, passage, *place, name=name)
            data = {"span": f"{claim.id}.0", "text": claim.text}
            yield Event(step="finish", kind="wrote", text=claim.text, data=data)
    return state


def _without_finding(state: ResearchState, passage: str, place: tuple[int, int]) -> ResearchState:
    """A report that is not out yet without the findings that say a part of what is quoted here."""
    cited = {b.id: b.span("citation") for b in state.draft.section("findings") if b.kind == "quotation"}
    places = {name: c.support[0] for name, c in cited.items() if c and state.version == 1}
    going = [n for n, s in places.items() if s.passage == passage and place[0] <= s.start and s.end <= place[1]]
    left = len(cited) - len(going)
    heading = ["findings.heading"] if going and not left else []
    return state.model_copy(update={"draft": state.draft.swap([*going, *heading], [])})


def how(state: ResearchState, numbers: Numbers, question: SubQuestion) -> str:
    """What is said of the other figures that are quoted beside an answer: that there are, and whether newer or older; else ""."""
    others = [h.support[0] for h in named(state, numbers, question) if standing_quotation(state, h.support[0])]
    if not others:
        return ""
    own = state.passage(slot_of(state, question).support[0].passage).source.date or ""
    dates = [state.passage(s.passage).source.date or "" for s in others]
    later = {is_later(d, own) if own and d and (is_later(d, own) or is_later(own, d)) else None for d in dates}
    one, several = _AGES[later.pop() if len(later) == 1 else None]
    return f"{one} source gives another figure" if len(others) == 1 else f"{several} sources give other figures"


_AGES = {None: ("another", "other"), True: ("a newer", "newer"), False: ("an older", "older")}


def named(state: ResearchState, numbers: Numbers, question: SubQuestion) -> list[Hypothesis]:
    """The figures, one a source, that were read for a question in other sources than its answer, the most believed first."""
    place = slot_of(state, question)
    if place.status != "filled" or place.hypothesis is None:
        return []
    answer = state.graph.get(place.hypothesis)
    said = {s for c in disputes(state, answer) for s in (c.kept.passage, c.other.passage)}  # listed as a disagreement
    seen, found = {state.passage(p).source.id for p in (answer.support[0].passage, *said)}, []
    for rival in state.graph.answers(question.id):
        if _is_named(state, numbers, question, answer, rival):
            source = state.passage(rival.support[0].passage).source.id
            found += [rival] if source not in seen else []
            seen.add(source)
    return found[:MOST]


def _is_named(
    state: ResearchState, numbers: Numbers, question: SubQuestion, answer: Hypothesis, rival: Hypothesis
) -> bool:
    """Whether a reading gives another figure of the same kind, and is believed enough to be named beside the answer."""
    ours, theirs = single(answer.text), single(rival.text)
    was_read = answer.computation is None and rival.computation is None and rival.status != "refuted"
    if not was_read or ours is None or theirs is None or is_rounded(ours, theirs):
        return False
    if any(same_answer(rival.text, slot_of(state, q).text) for q in state.facts if q.id != question.id):
        return False  # it answers another part of the question
    speaks = _naming(state.passage(rival.support[0].passage), ours) is not None
    is_alike = theirs.unit == ours.unit or (
        speaks and not theirs.unit
    )  # "61.4 million euros? We are close to 75 million."
    return is_alike and rival.probability >= (numbers.established if speaks else numbers.beside)


def is_rounded(ours: Figure, theirs: Figure) -> bool:
    """Whether two figures are one, or the one is the other rounded: "61 million" for 61.4 million."""
    apart = max(abs(ours.low - theirs.low), abs(ours.high - theirs.high))
    close = thresholds.SHIPPED.close * max(abs(ours.high), abs(theirs.high))
    return apart == 0 or apart < min(close, max(map(_grain, (ours, theirs))) / 2)


def _grain(figure: Figure) -> float:
    """What the last digit that a figure is written with, without the noughts behind it, is worth: of 61 million a million."""
    written = digits_of(figure)
    value = number(written) if written else 0.0
    exponent = Decimal(str(value)).normalize().as_tuple().exponent
    return float(Decimal(10) ** int(exponent)) * abs(figure.low / value) if value else 0.0


def _naming(passage: Passage, figure: Figure) -> tuple[int, int] | None:
    """The sentence of a passage that names a figure; None where none does, or where any figure may stand there by chance."""
    if not figure.unit and sum(map(str.isdigit, figure.text)) < TELLING:
        return None
    for start, end in sentences_of(passage):
        said = figures(passage.text[start - passage.start : end - passage.start])
        if any(f.dimension in ("", figure.dimension) and is_rounded(figure, f) for f in said):
            return start, end
    return None


def _quoted(state: ResearchState, question: SubQuestion, support: Support) -> tuple[int, int]:
    """The sentence of a figure, with the one ahead of it where that names the answer: it tells why the two differ."""
    passage, answer = state.passage(support.passage), single(slot_of(state, question).text)
    start, end = sentence_at(passage, support.start, support.end)
    naming = _naming(passage, answer) if answer else None
    is_ahead = naming is not None and (naming, start) in [(one, a) for one, (a, _) in pairwise(sentences_of(passage))]
    return (naming[0], end) if naming and is_ahead else (start, end)
