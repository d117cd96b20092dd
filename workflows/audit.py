"""Looking back at a run, offline: is every word still what its sources say, and what changed between two versions?"""

from __future__ import annotations

import hashlib
from itertools import pairwise

from palimpsest.agent.draft import COPIED, Span, moved
from palimpsest.agent.evidence_text import sentences_of
from palimpsest.agent.state import ResearchState, Revision
from palimpsest.retrieval.types import Frozen, Passage

from . import export
from .errors import USAGE, ResearchError
from .runs import Run


def verify(run: Run) -> list[str]:
    """What is wrong with a finished run, one sentence each; empty when every quote, offset, hash and citation holds."""
    record = run.record()
    done = [v for v in record.versions if v.done]
    if not done:
        raise ResearchError(f"{record.id} is not finished; first: research resume {record.id}", USAGE)
    if not record.current.done and (run.folder / "drafts" / f"{record.current.number}.json").exists():
        # killed while the files of the next version were written: they are of two versions, and nobody forged them
        raise ResearchError(f"{record.id} was stopped at its last moment; first: research resume {record.id}", USAGE)
    state = run.state(done[-1].number)
    problems = _report_problems(run, state)
    texts, found = _sources(run, state)
    problems += found
    for passage in state.evidence:
        if passage.source.id in texts and texts[passage.source.id][passage.start : passage.end] != passage.text:
            problems.append(f"passage {passage.id} is not what {passage.source.title!r} says at {passage.start}")
    for span in state.draft.spans():
        problems += _span_problems(span, state, texts)
    before = [run.state(v.number) for v in done]
    for old, new in pairwise(before):
        opened = [s for r in new.revisions if r.version == new.version for s in r.reopened]
        problems += [
            f"{s} changed in version {new.version} though it was not reopened"
            for s in moved(old.draft, new.draft, opened)
        ]
    return problems


def _report_problems(run: Run, state: ResearchState) -> list[str]:
    try:
        written = run.report.read_bytes().decode("utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ["report.md is missing or is not text; write it again with: research export RUN --format md"]
    problems = []
    expected = export.markdown(run.record(), state)
    if written != expected:
        ours, theirs = expected.splitlines(), written.splitlines()
        line = next(
            (n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
        )
        shown = theirs[line][:100] if line < len(theirs) else "(missing)"
        problems.append(f"report.md was changed after it was written: line {line + 1} is {shown!r}")
    return problems


def _sources(run: Run, state: ResearchState) -> tuple[dict[str, str], list[str]]:
    """The stored text of every source of the evidence, by id, and what is wrong with it."""
    texts, problems = {}, []
    for source in {p.source.id: p.source for p in state.evidence}.values():
        path = run.text_file(source.id)
        if not path.exists():
            problems.append(f"the text of source {source.title!r} is missing")
            continue
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != source.sha256:
            problems.append(f"the text of source {source.title!r} does not match its SHA-256")
        texts[source.id] = data.decode("utf-8", errors="replace")
    return texts, problems


def _span_problems(span: Span, state: ResearchState, texts: dict[str, str]) -> list[str]:
    problems = []
    held = {p.id: p for p in state.evidence}
    for support in span.support:
        passage = held.get(support.passage)
        if passage is None:
            problems.append(f"span {span.id} is supported by {support.passage}, which the run does not hold")
        elif texts.get(passage.source.id, "")[support.start : support.end] != support.quote:
            problems.append(
                f"the quote of span {span.id} is not in {passage.source.title!r} at {support.start}: {support.quote[:60]!r}"
            )
    if span.status in ("filled", "pinned") and span.kind in COPIED:
        if not span.support:
            problems.append(f"span {span.id} ({span.text[:40]!r}) has no source")
        elif span.support[0].quote != span.text:
            problems.append(f"span {span.id} says {span.text[:40]!r}, its source {span.support[0].quote[:40]!r}")
    return problems


class Change(Frozen):
    """A revision between two versions, with the passage it rests on and the words quoted from it."""

    revision: Revision
    passage: Passage | None
    sentence: str


def diff(run: Run, first: int | None = None, last: int | None = None) -> list[Change]:
    """What changed after version `first` up to `last`; by default in the newest version, or, of a single one, while it was written."""
    numbers = [v.number for v in run.record().versions if v.done]
    if not numbers:
        raise ResearchError(f"{run.folder.name} is not finished; first: research resume {run.folder.name}", USAGE)
    last = last or numbers[-1]
    first = last - 1 if first is None else first
    if last not in numbers or not 0 <= first < last:
        raise ResearchError(f"there is no step from version {first} to {last}; the versions are {numbers}", USAGE)
    state = run.state(last)
    held = {p.id: p for p in state.evidence}
    return [_change(r, held.get(r.evidence or "")) for r in state.revisions if first < r.version <= last]


def _change(revision: Revision, passage: Passage | None) -> Change:
    if passage is None:
        return Change(revision=revision, passage=None, sentence="")
    spans = sentences_of(passage)
    found = [passage.text[a - passage.start : b - passage.start] for a, b in spans]
    sentence = next((s for s in found if revision.new in s), passage.text[:200])
    return Change(revision=revision, passage=passage, sentence=sentence)
