"""What changed between two versions of a report, why, and how much of it provably did not."""

from __future__ import annotations

from collections.abc import Iterable

from palimpsest.agent.draft import Block, Draft, moved
from palimpsest.agent.evidence_text import sentences_of
from palimpsest.agent.state import Revision
from palimpsest.retrieval.types import Frozen, Passage

from .errors import USAGE, ResearchError
from .runs import Run


class Change(Frozen):
    """A revision between two versions: in which block, with the passage it rests on and the words quoted from it.

    `block` and `kind` are those of the block in which its span stood, or stands.
    """

    revision: Revision
    block: str
    kind: str
    passage: Passage | None
    sentence: str


class Untouched(Frozen):
    """Bytes (UTF-8) of a report's words: those that stand as they stood, those that were opened, those that are new.

    `broken` names spans and blocks that changed though nothing opened them; the promise is that there are none.
    """

    kept: int
    opened: int
    added: int
    broken: tuple[str, ...] = ()


def diff(run: Run, first: int | None = None, last: int | None = None) -> list[Change]:
    """What changed after version `first` up to `last`; by default in the newest version, or, of a single one, while it was written."""
    first, last = _between(run, first, last)
    state = run.state(last)
    held = {p.id: p for p in state.passages}
    drafts = [run.state(n).draft for n in range(last, max(first, 1) - 1, -1)]
    places = {s.id: b for draft in drafts for b in draft.blocks for s in b.spans}
    made = [r for r in state.revisions if first < r.version <= last]
    return [_change(r, places.get(r.span), held.get(r.evidence or "")) for r in made]


def untouched(run: Run, first: int | None = None, last: int | None = None) -> Untouched:
    """How much of version `first` stands in `last`, byte for byte; by default of the newest version and the one before it."""
    first, last = _between(run, first, last)
    if first == 0:
        raise ResearchError("there is no version before the first; revise the report and look again", USAGE)
    new = run.state(last)
    opened = [s for r in new.revisions if first < r.version <= last for s in r.reopened]
    return compared(run.state(first).draft, new.draft, opened)


def compared(old: Draft, new: Draft, opened: Iterable[str]) -> Untouched:
    """How much of one draft stands in another, when the spans of these ids were opened in between."""
    free = set(opened)
    broken = moved(old, new, free)
    before = {s.id: s.text for s in old.spans()}
    return Untouched(
        kept=sum(_size(text) for name, text in before.items() if name not in free and name not in broken),
        opened=sum(_size(text) for name, text in before.items() if name in free),
        added=sum(_size(s.text) for s in new.spans() if s.id not in before),
        broken=tuple(broken),
    )


def _size(text: str) -> int:
    return len(text.encode("utf-8", errors="replace"))


def _between(run: Run, first: int | None, last: int | None) -> tuple[int, int]:
    numbers = [v.number for v in run.record().versions if v.done]
    if not numbers:
        raise ResearchError(f"{run.folder.name} is not finished; first: research resume {run.folder.name}", USAGE)
    last = last or numbers[-1]
    first = last - 1 if first is None else first
    if last not in numbers or not 0 <= first < last:
        raise ResearchError(f"there is no step from version {first} to {last}; the versions are {numbers}", USAGE)
    return first, last


def _change(revision: Revision, block: Block | None, passage: Passage | None) -> Change:
    name, kind = (block.id, block.kind) if block else (revision.span.split(".")[0], "")
    if passage is None:
        return Change(revision=revision, block=name, kind=kind, passage=None, sentence="")
    spans = sentences_of(passage)
    found = [passage.text[a - passage.start : b - passage.start] for a, b in spans]
    sentence = next((s for s in found if revision.new in s), passage.text[:200])
    return Change(revision=revision, block=name, kind=kind, passage=passage, sentence=sentence)
