"""What an open report lacks, each with the searches that were tried: a thing, a part of the question, a cell, a result."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from palimpsest.retrieval.lexical import tokens
from palimpsest.retrieval.types import Passage

from . import balance, blocks, forms, speech
from .choosing import comes_near, found
from .dependents import said_anew
from .draft import Block
from .drafting import list_open, slot_of
from .naming import as_said, names_thing
from .polar import Answer
from .questions import claimed
from .quoting import cells, quotations, source_title
from .state import Event, Events, Reader, ResearchState, Steps, SubQuestion, Tools

MOST_NAMED = 5  # lines of one kind: what is beyond says no more


BESIDE = "No source that was read speaks of this directly; what is quoted comes nearest to it."
SILENT = "No quotation here speaks of {}."


def say_nearest(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """Where nothing quoted comes near to what is asked, or to a thing that it names, and no answer, verdict or table tells it, that
    stands ahead: a reader wants it before what is quoted.
    """
    is_told = any(slot_of(state, q).text for q in state.facts) or state.draft.block("verdict") is not None
    texts, titles = [b.text for b in quotations(state)], [source_title(state, b) for b in quotations(state)]
    quoted = [*texts, *(f"{title}. {text}" for title, text in zip(titles, texts, strict=True))]
    if tools.reader is None or is_told or cells(state):
        return state
    is_beside = bool(quoted) and not comes_near(tools.reader, question, quoted)
    read = [hit.passage for hit in found(state, question)]
    unspoken = _uncovered(tools.reader, question, [*texts, *titles], read) if quoted and not is_beside else []
    state = yield from balance.restated(state, "nearest", blocks.SHORT, Answer(BESIDE if is_beside else "", ()))
    said = SILENT.format(_named(unspoken)) if unspoken else ""
    return (yield from balance.restated(state, "silent", blocks.SHORT, Answer(said, ())))


def _named(pieces: Sequence[str]) -> str:
    return ", ".join(f"“{piece}”" for piece in pieces)


def missing(state: ResearchState, tools: Tools, question: SubQuestion) -> Events:
    """Name what the report on an open question lacks."""
    asked = [_brief(q.text, question) for q in state.queries if q.question == question.id and q.asked]
    searched = f"{forms.SEARCHED}{'; '.join(asked)}" if asked else ""
    state = forms.close(state)
    for number, (name, why) in enumerate(_lacks(state, tools, question).items()):
        line = _ended(f"{why}{searched}" if number == 0 else why)
        state = list_open(state, name, line)
        yield Event(step="finish", kind="unestablished", text=line, data={"question": question.id})
    return state


def again(state: ResearchState, tools: Tools, question: SubQuestion) -> Steps:
    """In a later version what the report lacks follows what is quoted now; what is said of cells follows them by itself."""
    if not (state.fresh or any(r.version == state.version for r in state.revisions)):
        return state
    state = forms.close(state)
    lacks, listed = _lacks(state, tools, question), state.draft.section("open")
    standing = {_name(b): b for b in listed if _name(b).startswith(f"{question.id}.lack")}
    for name, block in standing.items():
        said, *searched = block.text.partition(forms.SEARCHED)
        now = _ended("".join((lacks[name], *searched))) if name in lacks else ""
        if _ended(said) != _ended(lacks.get(name, "")):
            fresh = blocks.line(block.id, "open", now) if now else None
            state = yield from said_anew(state, block, fresh)
    for name in (name for name in lacks if name not in map(_name, listed)):
        state = list_open(state, name, _ended(lacks[name]))
        yield Event(step="finish", kind="unestablished", text=lacks[name], data={"question": question.id})
    return state


def _name(block: Block) -> str:
    """What a line of the list of open things speaks of."""
    return block.id.removeprefix("open.").rpartition(".")[0]


def _ended(line: str) -> str:
    return line if line.endswith((".", "?")) else f"{line}."


def _brief(query: str, question: SubQuestion) -> str:
    """A query whose reader has the question before their eyes."""
    return query if query == question.text else query.replace(question.text, "the same question")


def _lacks(state: ResearchState, tools: Tools, question: SubQuestion) -> dict[str, str]:
    """What is lacking, each under a name of its own; of empty cells that of their row, so that it is said anew when one is filled."""
    quoted, reader = quotations(state), tools.reader
    own = f"{question.id}.lack."
    if not quoted and not cells(state):
        return {f"{own}all": "Nothing that was found answers this"}
    texts = [*(b.text for b in quoted), *(s.text for s in cells(state))]
    titles = [source_title(state, b) for b in quoted]
    told = forms.told(state)
    untold = [t for t in question.things if t not in told]
    silent = [t for t in untold if not _is_spoken_of(t, question, [*texts, *titles])]
    row_of = {thing: f"{forms.TABLE}.{row}" for row, thing in enumerate(question.things, 1)}
    lacks = {
        row_of[thing]: f"{thing}: no source that was found says anything of it that is quoted here" for thing in silent
    }
    table = state.draft.block(forms.TABLE)
    empty = forms.lacking(table) if table else {}
    lacks |= {row: why for row, (thing, why) in empty.items() if thing not in silent}
    if tools.numbers.says and claimed(question.text) and state.draft.block("verdict") is None:
        lacks[f"{own}verdict"] = "No one sentence that was read settles whether it is so; what is quoted comes near"
    if reader is not None:
        read = [hit.passage for hit in found(state, question)]
        if unspoken := _uncovered(reader, question, [*texts, *titles], read):
            lacks[f"{own}words"] = f"Of the question's words, nothing quoted here uses {_named(unspoken)}"
        lacks |= {f"{own}{source}": why for source, why in _unreported(state, reader, question).items()}
    if question.form == "list":
        is_listed = state.draft.block(forms.TABLE) is not None
        held = "The list holds what the passages that were read name" if is_listed else "No list was read surely enough"
        lacks[f"{own}list"] = f"{held}; {'it' if is_listed else 'what is quoted'} may be incomplete"
    return lacks


def _is_spoken_of(thing: str, question: SubQuestion, texts: Sequence[str]) -> bool:
    """Whether a text names a thing, or has all words of its description in some form: "the weir was removed" speaks of weir removal."""
    spoken = "\n".join(texts)
    if names_thing(spoken, as_said(thing, spoken, question.things)):
        return True
    words = set(tokens(thing)) if thing.islower() else set()
    return len(words) > 1 and any(words <= set(tokens(text)) for text in texts)


def _uncovered(reader: Reader, question: SubQuestion, texts: Sequence[str], read: Sequence[Passage]) -> list[str]:
    """Things that the question names, of whose own words few stand in some form in what is quoted, and nothing there comes near.

    What the question would be the same without, as "understanding" in "what is the understanding of", is none, but where all that is
    quoted is nearer to the question without it; nor is what most sources that were `read` are about, as the museum in notes of one.
    """
    asked = question.text
    told = (*question.things, *question.attributes)  # a table says of these what it lacks
    names = dict.fromkeys(asked[start:end] for start, end in speech.names(asked))
    pieces = [name for name in names if not name.startswith(told)]
    words = [set(tokens(piece)) for piece in pieces]
    held = set().union(*(tokens(text) for text in texts))
    spoken: dict[str, set[str]] = {}
    for passage in read:
        spoken.setdefault(passage.source.id, set()).update(tokens(passage.text))
    alone = [
        piece
        for number, piece in enumerate(pieces)
        if (own := words[number] - set().union(*words[:number], *words[number + 1 :]))
        and 2 * len(own & held) < len(own)
    ]
    rare = [piece for piece in alone if 2 * sum(set(tokens(piece)) <= own for own in spoken.values()) < len(spoken)]
    far = [piece for piece in rare if not reader.is_near(piece, texts)]
    topics = [piece for piece in far if reader.is_topic(asked, piece)]
    # Of two names the one may say the other: without antibiotics a question on gut bacteria is nearly the same, without both it is not.
    others = combinations([piece for piece in far if piece not in topics], 2)
    topics += [piece for pair in others if reader.is_topic(asked, *pair) for piece in pair]
    topics += [piece for piece in _of_what(asked, far) if reader.is_apart(asked, piece, texts)]
    return [piece for piece in far if piece in topics][:MOST_NAMED]


def _of_what(question: str, names: Sequence[str]) -> list[str]:
    """The names without those that say what is asked for: "benefits" in "What are the benefits of"."""
    places = speech.asked_for(question)
    starts = {question[a:b]: a for a, b in speech.names(question)}
    return [name for name in names if not any(start <= starts[name] < end for start, end in places)]


def _unreported(state: ResearchState, reader: Reader, question: SubQuestion) -> dict[str, str]:
    """Studies of what is asked whose texts tell what was meant to be done and no result, by the ids of their sources."""
    if question.form not in ("balance", "open"):
        return {}
    said = "describes a study that is planned; its text found here reports no result"
    plans = reader.unreported(question.text, found(state, question))[:MOST_NAMED]
    return {source.id: f"“{source.title}” ({source.date or 'undated'}) {said}" for source in plans}
