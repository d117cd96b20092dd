"""What each block of the report is made of, and in which order blocks stand. Words only: the look is the renderers'."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from palimpsest.retrieval.types import Passage, Source

from .draft import Block, Draft, Span, Support
from .evidence_text import Part
from .state import Conflict, ResearchState, SubQuestion

SHORT, TABLE, MOST_SECTIONS = "short", "table", 7
SECTIONS = tuple(f"section.{n}" for n in range(1, MOST_SECTIONS + 1))
HEADINGS = {
    "short": "In short",
    "table": "Side by side",
    "findings": "Findings",
    "conflicts": "Where sources disagree",
    "open": "Not established",
    "unread": "What could not be read",
    "revisions": "What was revised",
    "sources": "Sources",
}


def order(state: ResearchState) -> tuple[str, ...]:
    """Section ids as they stand in the report."""
    lists = [name for name in HEADINGS if name not in (SHORT, TABLE)]
    answers = [f"answer.{q.id}" for q in state.facts if q.asked_in == 1]
    follow_ups = [f"answer.{q.id}" for q in state.questions if q.asked_in > 1]
    return ("title", *answers, SHORT, TABLE, *SECTIONS, *follow_ups, *lists)


def heading(name: str, section: str, text: str, level: int) -> Block:
    return Block(
        id=f"{name}.heading", kind="heading", section=section, level=level, spans=(Span(id=f"{name}.title", text=text),)
    )


def outline(section: str, heading_slot: Span) -> Block:
    """The heading of a section of an open report: an OUTLINE slot."""
    return Block(id=f"{section}.heading", kind="heading", section=section, level=2, spans=(heading_slot,))


def statement(name: str, section: str, text: str, cited: Sequence[Support] = ()) -> Block:
    """A sentence of the program's own that names nothing and counts in words, with the places of sources that it was read from."""
    said = Span(id=f"{name}.text", text=text)
    return Block(id=name, kind="statement", section=section, spans=(said, *_marks(name, cited)))


def skeleton(state: ResearchState) -> Draft:
    """The draft before anything is known: the question, and one open answer slot for each sub-question."""
    draft = Draft(blocks=(heading("question", "title", state.question, 1),))
    for number, question in enumerate(state.facts):
        section = f"answer.{question.id}"
        if number == 0:
            draft = draft.append(heading("answer", section, "Answer", 2), order(state))
        if question.asked.rstrip("?.").casefold() != state.question.strip().rstrip("?.").casefold():
            draft = draft.append(heading(question.id, section, question.asked, 3), order(state))
        draft = draft.append(answer(question, section), order(state))
    return draft


def answer(question: SubQuestion, section: str) -> Block:
    """One open slot of the question's kind, its citation and how well it stands."""
    slot = f"{question.id}.answer"
    return Block(
        id=f"{question.id}.block",
        kind="answer",
        section=section,
        about=question.id,
        spans=(
            Span(id=slot, text="", kind=question.kind, status="open"),
            Span(id=f"{question.id}.cite", text="", kind="CITE", role="citation", status="open", depends_on=(slot,)),
            Span(id=f"{question.id}.standing", text="", role="standing", status="open", depends_on=(slot,)),
        ),
    )


def quotation(name: str, section: str, words: Sequence[Part], passage: Passage, about: str, turn: int = 0) -> Block:
    """A sentence (or row) of one source, verbatim, cut at its typed places; `turn` counts the sentences that stood here before."""
    stem = f"{name}~{turn}" if turn else name
    spans = [
        Span(
            id=f"{stem}.{number}",
            text=part.text,
            kind=part.kind,
            status="filled",
            hypothesis=about,
            support=(Support(passage=passage.id, quote=part.text, start=part.start, end=part.end),),
        )
        for number, part in enumerate(words)
    ]
    whole = whole_of(passage, words)
    needs = tuple(s.id for s in spans)
    cited = Span(
        id=f"{stem}.cite", text="", kind="CITE", role="citation", status="filled", hypothesis=about, support=(whole,),
        depends_on=needs,
    )  # fmt: skip
    return Block(id=name, kind="quotation", section=section, about=about, spans=(*spans, cited))


def hop_of(question: SubQuestion) -> str:
    """The id of the sentence that leads to the one an answer was read from."""
    return f"{question.id}.hop"


def beside_of(question: SubQuestion) -> str:
    """How the ids of the sentences begin that give other figures beside an answer."""
    return f"{question.id}.beside."


def whole_of(passage: Passage, words: Sequence[Part]) -> Support:
    """The support of a whole sentence, given its parts."""
    text = "".join(p.text for p in words)
    return Support(passage=passage.id, quote=text, start=words[0].start, end=words[-1].end)


def turn_of(block: Block) -> int:
    """How many sentences stood in a quotation's place before the one that stands."""
    mark = block.spans[0].id.removeprefix(block.id).split(".")[0]
    return int(mark.removeprefix("~") or 0)


def conflict(state: ResearchState, found: Conflict) -> Block:
    """Both sides of a disagreement, verbatim, and why one was kept."""
    sides = ((f"{found.id}.kept", found.kept), (f"{found.id}.other", found.other))
    spans = [Span(id=name, text=side.quote, support=(side,)) for name, side in sides]
    reason = Span(id=f"{found.id}.reason", text=found.reason)
    return Block(id=found.id, kind="conflict", section="conflicts", about=found.id, spans=(*spans, reason))


def revision(number: int) -> Block:
    """One entry for the `number`th revision of the state, from 1."""
    return Block(id=f"revision.{number}", kind="revision", section="revisions", about=str(number))


def source(place: int, found: Source) -> Block:
    """One entry for the source that is cited as number `place`, from 1."""
    return Block(id=f"source.{place}", kind="source", section="sources", about=found.id)


def line(name: str, section: str, text: str, cited: Support | None = None) -> Block:
    """A sentence of the program's own: what stayed open, or what could not be read; with the place of a source that it quotes."""
    kind = "unread" if section == "unread" else "open"
    said = Span(id=f"{name}.text", text=text)
    return Block(id=name, kind=kind, section=section, about=name, spans=(said, *_marks(name, [cited] if cited else [])))


def _marks(name: str, cited: Sequence[Support]) -> list[Span]:
    """The citation of what cites anything."""
    mark = Span(id=f"{name}.cite", text="", kind="CITE", role="citation", status="filled", support=tuple(cited))
    return [mark] if cited else []


def put(state: ResearchState, blocks: Iterable[Block]) -> ResearchState:
    """The state with blocks at the end of their sections, each section opened by its heading; what stands already is left as it is."""
    draft = state.draft
    for block in blocks:
        if draft.block(block.id) is not None:
            continue
        if block.section in HEADINGS and draft.block(f"{block.section}.heading") is None:
            draft = draft.append(heading(block.section, block.section, HEADINGS[block.section], 2), order(state))
        draft = draft.append(block, order(state))
    return state.model_copy(update={"draft": draft})


def put_first(state: ResearchState, block: Block) -> ResearchState:
    """The state with a block ahead of what stands in its section, which is opened where it is not."""
    first = next((b for b in state.draft.section(block.section) if b.kind != "heading"), None)
    if first is None:
        return put(state, [block])
    return state.model_copy(update={"draft": state.draft.swap([first.id], [block, first])})


def take_back(state: ResearchState, name: str) -> tuple[ResearchState, list[str]]:
    """Remove what the list of open things says of `name`, with the last entry its heading too; the ids of the spans that went."""
    listed = state.draft.section("open")
    gone = [b for b in listed if b.id.startswith(f"open.{name}.")]
    if len(gone) + 1 == len(listed):
        gone = listed
    draft = state.draft.swap([b.id for b in gone], [])
    return state.model_copy(update={"draft": draft}), [s.id for b in gone for s in b.spans]


def named(passage: Passage) -> str:
    """A source as prose names it: title and date."""
    return f"{passage.source.title} ({passage.source.date or 'undated'})"
