"""The report as spans: what each block looks like, in which order blocks stand, and the front matter above them."""

from __future__ import annotations

from collections.abc import Iterable

from palimpsest.retrieval.types import Passage, Source

from .draft import Draft, Span, Support
from .forms import Part
from .state import Conflict, Reason, ResearchState, Revision

OPEN = "▢▢▢"
NOT_ESTABLISHED = "Not established"
BECAUSE: dict[Reason, tuple[str, str]] = {  # a reason, and how its evidence is joined to it
    "contradicted": ("contradicted", " by"),
    "low confidence": ("low confidence", ", read in"),
    "new evidence": ("new evidence", ", read in"),
    "depends on": ("the answer it rests on changed", ", read in"),
    "person": ("opened by a person", ", read in"),
}


def order(state: ResearchState) -> tuple[str, ...]:
    """Section ids as they stand in the report."""
    answers = tuple(f"answer.{q.id}" for q in state.questions)
    return ("title", *answers, "findings", "conflicts", "open", "revisions", "sources")


def front_matter(fields: dict[str, str]) -> str:
    """YAML front matter of plain strings, each quoted."""
    lines = (f'{key}: "{_escaped(value)}"' for key, value in fields.items())
    return "---\n" + "\n".join(lines) + "\n---\n\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def skeleton(state: ResearchState) -> Draft:
    """The draft before anything is known: the question, and one open answer slot for each sub-question."""
    draft = Draft().append("title", [Span(id="title", text=f"# {state.question}\n\n")])
    for number, question in enumerate(state.questions):
        heading = "## Answer\n\n" if number == 0 else ""
        if len(state.questions) > 1:
            heading += f"### {question.asked}\n\n"
        spans = [
            Span(id=f"{question.id}.heading", text=heading),
            Span(id=f"{question.id}.before", text="**"),
            Span(id=f"{question.id}.answer", text=OPEN, kind=question.kind, status="open"),
            Span(id=f"{question.id}.after", text="**"),
            Span(id=f"{question.id}.cite", text="", kind="CITE", status="open", depends_on=(f"{question.id}.answer",)),
            Span(id=f"{question.id}.conf", text="\n\n", status="open", depends_on=(f"{question.id}.answer",)),
        ]
        draft = draft.append(f"answer.{question.id}", spans, order(state))
    return draft


def cite_text(state: ResearchState, source: Source) -> str:
    return f" [{state.references.index(source.id) + 1}]"


def confidence_text(probability: float) -> str:
    return f" (confidence {probability:.2f})\n\n"


def claim_spans(
    claim: str, words: list[Part], passage: Passage, cite: str, quote: bool, confidence: float
) -> list[Span]:
    """A claim copied from a sentence: a lead, its places, its citation and its confidence."""
    support = [Support(passage=passage.id, quote=p.text, start=p.start, end=p.end) for p in words]
    copied = [
        Span(id=f"{claim}.{n}", text=p.text, kind=p.kind, status="filled", hypothesis=claim, support=(s,))
        for n, (p, s) in enumerate(zip(words, support, strict=True))
    ]
    whole = Support(passage=passage.id, quote="".join(p.text for p in words), start=words[0].start, end=words[-1].end)
    needs = tuple(s.id for s in copied)
    cited = Span(
        id=f"{claim}.cite",
        text=cite,
        kind="CITE",
        status="filled",
        hypothesis=claim,
        support=(whole,),
        depends_on=needs,
    )
    end = "\n\n" if quote else f" (confidence {confidence:.2f})\n"
    tail = Span(
        id=f"{claim}.conf", text=end, status="filled", hypothesis=claim, confidence=confidence, depends_on=needs
    )
    return [Span(id=f"{claim}.lead", text="> " if quote else "- "), *copied, cited, tail]


def words_of(draft: Draft, claim: str) -> list[Span]:
    """The spans that are the claim's sentence, without lead, citation and confidence."""
    return [s for s in draft.of(claim) if not s.id.endswith((".cite", ".conf"))]


def claim_text(draft: Draft, claim: str) -> str:
    return "".join(s.text for s in words_of(draft, claim))


def named(passage: Passage) -> str:
    """A source as prose names it: title and date."""
    return f"{passage.source.title} ({passage.source.date or 'undated'})"


def conflict_spans(state: ResearchState, conflict: Conflict) -> list[Span]:
    kept, other = state.passage(conflict.kept_passage), state.passage(conflict.other_passage)
    text = (
        f"- {named(kept)}{cite_text(state, kept.source)}: “{conflict.kept}”\n"
        f"  against {named(other)}{cite_text(state, other.source)}: “{conflict.other}”\n"
        f"  {conflict.reason}\n"
    )
    return [Span(id=conflict.id, text=text, hypothesis=None)]


def revision_span(state: ResearchState, number: int, revision: Revision) -> Span:
    (why, joint), odds = BECAUSE[revision.reason], ""
    if revision.evidence:
        passage = state.passage(revision.evidence)
        why += f"{joint} {named(passage)}{cite_text(state, passage.source)}"
    if revision.before is not None and revision.after is not None:
        odds = f"; probability {revision.before:.2f} → {revision.after:.2f}"
    old, new = revision.old.strip(), revision.new.strip()
    changed = f"“{old}” → “{new}”" if old != new else f"“{old}” stands"
    text = f"- {changed}: {why}{odds}.\n"
    return Span(id=f"revision.{number}", text=text)


def source_span(number: int, source: Source) -> Span:
    authors = f" {', '.join(source.authors)}." if source.authors else ""
    text = f"{number}. {source.title}.{authors} {source.date or 'Undated'}. `{source.uri}` (text SHA-256 {source.sha256[:12]})\n"
    return Span(id=f"source.{number}", text=text)


HEADINGS = {
    "findings": "## Findings\n\n",
    "conflicts": "## Where sources disagree\n\n",
    "open": "## Not established\n\n",
    "revisions": "## What was revised\n\n",
    "sources": "## Sources\n\n",
}


def append(state: ResearchState, section: str, spans: Iterable[Span]) -> ResearchState:
    """Add spans to a list section, opening it with its heading; spans whose ids stand there already are left as they are."""
    present = {s.id for s in state.draft.spans()}
    fresh = [s for s in spans if s.id not in present]
    draft = state.draft
    if fresh and f"{section}.heading" not in present:
        # The blank line above a heading belongs to the heading: nothing before it changes when it comes.
        draft = draft.append(section, [Span(id=f"{section}.heading", text="\n" + HEADINGS[section])], order(state))
    return state.model_copy(update={"draft": draft.append(section, fresh, order(state))})


def list_open(state: ResearchState, name: str, text: str) -> ResearchState:
    """Say in the list of what is not established what nothing fills: a sub-question or a place, by its id."""
    return append(state, "open", [Span(id=f"open.{name}.{state.version}", text=f"- {text}\n")])


def take_back(state: ResearchState, name: str) -> tuple[ResearchState, list[str]]:
    """Remove what that list says of `name`, with the last entry its heading too; the ids of the spans that went."""
    section = state.draft.section("open")
    stands = [s.id for s in section.spans] if section else []
    gone = [s for s in stands if s.startswith(f"open.{name}.")]
    if len(gone) + 1 == len(stands):
        gone = stands
    return state.model_copy(update={"draft": state.draft.swap(gone, [])}), gone
