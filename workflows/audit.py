"""Looking back at a run, offline: is every word still what its sources say, and what changed between two versions?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

from palimpsest.agent import prose, tabling
from palimpsest.agent.draft import COPIED, Block, Span, moved
from palimpsest.agent.drafting import holds
from palimpsest.agent.evidence_text import parts
from palimpsest.agent.state import ResearchState
from palimpsest.agent.steering import Edit, Steering
from palimpsest.dlm_core.kinds import MaskKind, typed_spans
from palimpsest.retrieval.records import is_cell
from palimpsest.retrieval.types import Passage

from . import export, seal
from .audit_tables import in_pairs, is_compared, table_problems
from .errors import USAGE, ResearchError
from .runs import Record, Run, Version


def verify(run: Run, kept: str = "") -> list[str]:
    """What is wrong with a finished run, one sentence each; empty when all holds. `kept` is a head of its log kept elsewhere.

    The log is a chain; it seals the states, the record and what a person brought; every other file is made again from these and
    compared; every word of the draft is held against the stored text of its source.
    """
    record = run.record()
    done = [v for v in record.versions if v.done]
    if not done:
        raise ResearchError(f"{record.id} is not finished; first: research resume {record.id}", USAGE)
    if not record.current.done and (run.folder / "drafts" / f"{record.current.number}.json").exists():
        # killed while the files of the next version were written: they are of two versions, and nobody forged them
        raise ResearchError(f"{record.id} was stopped at its last moment; first: research resume {record.id}", USAGE)
    states = [run.state(v.number) for v in done]
    problems = [*_log_problems(run, kept), *_seal_problems(run, record, done)]
    problems += _file_problems(run, record, states[-1])
    wishes = [v.steering for v in done]
    return [*problems, *_draft_problems(run, states, wishes)]


def compare(run: Run, report: str) -> list[str]:
    """Whether a report that was taken away is what the run's folder gives, of any of its finished versions."""
    record = run.record()
    for version in (v.number for v in record.versions if v.done):
        log = seal.head([e for e in run.events() if e["version"] <= version])
        if report == export.markdown(record, run.state(version), log):
            return []
    is_ours = all(seal.is_of_this(run.events(), v.number) for v in record.versions if v.done)
    return [f"the report is not one that this run gives{'' if is_ours else OTHER_CODE}"]


OTHER_CODE = "; but another version of this program wrote the run, and this one may show it in other words: verify it with that version"
UNCHECKED = (
    "Not checked, because the folder of the run is not at hand: quotations against the texts of their sources, the texts against "
    "their hashes, the state and the log. With it: research verify RUN --report FILE"
)
_CITED = re.compile(r"(?<!\\) \[(\d+)\]")
_LISTED = re.compile(r"^(\d+)\. .*\(text SHA-256 [0-9a-f]{12}\)$", re.MULTILINE)
_SAID = re.compile("“([^”]*)”")
_LOG = re.compile(r'^log: "[0-9a-f]{64}"$', re.MULTILINE)


def check_report(report: str) -> list[str]:
    """What a report's own text shows to be wrong: citations without a source, a list of sources that is not whole, no head of a log."""
    body, _, listed = report.partition("\n## Sources\n")
    numbers = [int(n) for n in _LISTED.findall(listed)]
    cited = {int(n) for n in _CITED.findall(body)}
    problems = [] if _LOG.search(report.split("\n---\n")[0]) else ["the front matter holds no head of a log"]
    problems += [f"citation [{n}] names no source" for n in sorted(cited - set(numbers))]
    problems += [f"source {n} is cited nowhere" for n in sorted(set(numbers) - cited)]
    entries = [line for line in listed.splitlines() if line.strip()]
    if numbers != list(range(1, len(entries) + 1)):
        problems.append("the list of sources is not numbered from 1 without gaps, or an entry is not whole")
    return problems


def _log_problems(run: Run, kept: str) -> list[str]:
    data = run.events_file.read_bytes() if run.events_file.exists() else b""
    events = run.events()
    problems = [] if len(events) == data.count(b"\n") else ["events.jsonl holds lines that are no events"]
    if (number := seal.broken(events)) is not None:
        problems.append(f"line {number} of events.jsonl does not follow from the line before it")
    if kept and not seal.holds(kept, events, run.stopped_events()):
        problems.append("the log does not hold the head that was kept: it was written anew")
    return problems


def _seal_problems(run: Run, record: Record, done: Sequence[Version]) -> list[str]:
    """What the log sealed of each finished version, against what lies in the folder."""
    events = run.events()
    found = {e["version"]: e["data"] for e in events if e.get("kind") == "sealed"}
    problems = [
        f"the log goes on with version {version.number} after it was sealed"
        for version in done
        if "sealed" in [e.get("kind") for e in events if e["version"] == version.number][:-1]
    ]
    for version in done:
        sealed, path = found.get(version.number), run.folder / "drafts" / f"{version.number}.json"
        if sealed is None:
            problems.append(f"the log seals no version {version.number}")
            continue
        if sealed.get("state") != seal.digest(path.read_bytes()):
            problems.append(f"drafts/{version.number}.json is not the state that the log sealed")
        if sealed.get("record") != seal.facts(record, version.number):
            problems.append(f"run.json is not the record that the log sealed with version {version.number}")
    if sealed := found.get(done[-1].number):
        now = seal.files(run, record, done[-1].number)
        names = sorted({*now, *sealed.get("files", {})} - (set() if record.current.done else _GROWING))
        problems += [
            f"{n} is not the file that the log sealed" for n in names if now.get(n) != sealed.get("files", {}).get(n)
        ]
        problems += _calls_problems(run, record, sealed)
    return problems


_GROWING = {
    "evidence/sources.json"
}  # while the next version is written; the texts of what is cited are checked one by one


def _calls_problems(run: Run, record: Record, sealed: Mapping[str, Any]) -> list[str]:
    """The calls to services as they were sealed; only a version that is not finished has added to them."""
    if "calls" not in sealed:  # by an earlier release
        return []
    length = None if record.current.done else int(sealed["calls"]["bytes"])
    is_same = seal.calls(run.calls_file, length) == sealed["calls"]
    return [] if is_same else ["evidence/calls.jsonl is not the file that the log sealed"]


def _file_problems(run: Run, record: Record, state: ResearchState) -> list[str]:
    """Every file that is made from record and state, against what is made of them now."""
    log = seal.head([e for e in run.events() if e["version"] <= state.version])
    try:
        made = export.derived(record, state, log)
    except (StopIteration, KeyError, IndexError, ValueError):  # a state that no run makes
        return ["the report cannot be made again from the state: it names passages or sources that it does not hold"]
    is_ours = seal.is_of_this(run.events(), state.version)
    return [problem for name, text in made.items() if (problem := _difference(run, name, text, is_ours))]


def _difference(run: Run, name: str, expected: str, is_ours: bool) -> str:
    """How a file is not what is made now; whether it was changed can be told only where the same code made it."""
    path = run.folder / name
    if not path.is_file():
        return f"{name} is missing; write it again with: research export {run.folder.name}"
    written = path.read_bytes().decode("utf-8", errors="replace")
    if written == expected:
        return ""
    ours, theirs = expected.split("\n"), written.split("\n")
    pairs = enumerate(zip(ours, theirs, strict=False))
    line = next((n for n, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
    shown = theirs[line][:100] if line < len(theirs) else "(missing)"
    what = "was changed after it was written" if is_ours else "is not what this version of the program makes"
    return f"{name} {what}: line {line + 1} is {shown!r}{'' if is_ours else OTHER_CODE}"


def _draft_problems(run: Run, states: Sequence[ResearchState], wishes: Sequence[Steering]) -> list[str]:
    """Every word of the last draft against its source, or what a person wrote, and every version against the one before."""
    state = states[-1]
    texts, problems = _sources(run, state)
    edits, pinned = {e for w in wishes for e in w.edits}, {name for w in wishes for name in w.pin}
    for passage in (p for p in state.passages if p.source.id in texts):
        problems += _passage_problems(passage, texts[passage.source.id])
    problems += _order_problems(state.passages)
    problems += _chain_problems(state)
    for block in state.draft.blocks:
        is_cell = is_compared(block, state)
        for span in block.spans:
            is_written = block.kind == "prose" and prose.is_written(span)
            problems += _span_problems(span, state, texts, is_written, is_cell)
        if not _is_kept(block, pinned):
            problems += _block_problems(block, state)
        problems += _person_problems(block, edits)
    for old, new in pairwise(states):
        opened = [s for r in new.revisions if r.version == new.version for s in r.reopened]
        problems += [
            f"{s} changed in version {new.version} though it was not reopened"
            for s in moved(old.draft, new.draft, opened)
        ]
    return problems


def _passage_problems(passage: Passage, text: str) -> list[str]:
    """A passage is what its source says there: its words, its cells under their names, and headings that stand above it."""
    if text[passage.start : passage.end] != passage.text:
        return [f"passage {passage.id} is not what {passage.source.title!r} says at {passage.start}"]
    if any(not passage.start <= start < end <= passage.end for start, end in passage.sentences):
        return [f"passage {passage.id} has sentences that do not lie in it"]
    problems = [
        f"passage {passage.id} has a cell {cell.name!r} that its row does not have"
        for cell in passage.cells
        if not (passage.start <= cell.start <= cell.end <= passage.end and is_cell(text, cell))
    ]
    strange = [heading for heading in passage.path if text.find(heading, 0, passage.start) < 0]
    return problems + [f"passage {passage.id} stands under no heading {heading!r}" for heading in strange]


def _order_problems(passages: Sequence[Passage]) -> list[str]:
    """The tables of a source are numbered in the order in which they stand."""
    rows = sorted((p.source.id, p.start, p.table or 0, p.id) for p in passages if p.cells and p.kind == "row")
    return [
        f"passage {after[3]} is of table {after[2]}, behind table {before[2]}"
        for before, after in pairwise(rows)
        if before[0] == after[0] and before[2] > after[2]
    ]


def _block_problems(block: Block, state: ResearchState) -> list[str]:
    """A quotation is one stretch of one source; an answer lies inside the quotation that it rests on."""
    if block.kind in ("quotation", "answer", "heading") and not block.words:
        return [f"{block.kind} {block.id} has no words"]
    if block.kind == "quotation" and any(s.status != "unestablished" for s in block.words):
        cited = block.span("citation")
        if cited is None or not cited.support or cited.support[0].quote != block.text:
            return [f"quotation {block.id} is not the sentence that it cites: {block.text[:60]!r}"]
    if block.kind == "open" and (cited := block.span("citation")):
        lost = [s.quote for s in cited.support if f"“{s.quote}”" not in block.text]
        return [f"line {block.id} does not say what it cites: {quote[:60]!r}" for quote in lost]
    if block.kind == "prose":
        return prose.wrong_with(block)
    if block.kind == "statement" and any(s.kind == "COMPUTED" for s in block.words):
        return tabling.problems(state, block)
    if block.kind == "table":
        return table_problems(block, state)
    if block.kind == "statement":
        asked = [state.question, *(q.text for q in state.questions)]
        return [*_statement_problems(block, asked), *_edited_problems(block)]
    return _answer_problems(block, state) if block.kind == "answer" else []


def _chain_problems(state: ResearchState) -> list[str]:
    """A name that is said to lead from one sentence to the next is the name of a source quoted beside it."""
    problems = []
    for block in (b for b in state.draft.blocks if any(s.leads for s in b.spans)):
        beside = [
            b.span("citation") for b in state.draft.section(block.section) if b.kind == "quotation" and b != block
        ]
        cited = [c.support[0] for c in beside if c and c.support]
        names = [state.passage(s.passage).source.title.partition(" (")[0].casefold() for s in cited]
        marked = "".join(s.text for s in block.spans if s.leads).casefold()
        if not any(name in marked or marked in name for name in names):
            problems.append(f"{marked!r} in {block.id} is marked as leading on, and names no source quoted beside it")
    return problems


def _is_kept(block: Block, pinned: Set[str]) -> bool:
    """Whether a person keeps an answer that was read in a source: it stays when the quotation above it goes."""
    place = block.words[0] if block.kind == "answer" and len(block.words) == 1 else None
    return (
        place is not None and place.kind in COPIED and place.status == "pinned" and bool({place.id, block.id} & pinned)
    )


def _answer_problems(block: Block, state: ResearchState) -> list[str]:
    """An answer that is shown is one place: a person's words, computed, or a span of the quotation that it rests on."""
    if not any(s.status not in ("open", "unestablished") and not s.person for s in block.words):
        return []
    place = block.words[0]
    if len(block.words) > 1 or place.status not in ("filled", "pinned"):
        return [f"answer {place.id} holds words that are no answer's"]
    if place.kind == "COMPUTED":
        return tabling.answer_problems(state, block)
    quoted = {s.id: b for b in state.draft.blocks if b.kind == "quotation" for s in b.spans}
    rests = [quoted[name] for name in place.depends_on if name in quoted]
    if not place.support or not rests or not holds(rests[0], place.support[0]):
        return [f"answer {place.id} ({place.text[:40]!r}) is not in the quotation that it rests on"]
    return []


def _statement_problems(block: Block, asked: Sequence[str] = ()) -> list[str]:
    """Every name, figure and date in a sentence of the program's own stands in what the sentence cites, or is said back between
    quotation marks from what was `asked`.
    """
    cited = " ".join(s.quote for span in block.spans for s in span.support)
    problems = []
    for span in (s for s in block.words if not s.support and not s.person):
        own = _SAID.sub(lambda m: "“”" if any(m[1].casefold() in q.casefold() for q in asked) else m[0], span.text)
        places = [own[a:b] for a, b, kind in typed_spans(own) if kind is not MaskKind.LOGIC]
        problems += [
            f"{place!r} in statement {block.id} stands in nothing that it cites"
            for place in places
            if place not in cited
        ]
    return problems


def _edited_problems(block: Block) -> list[str]:
    """Beside what a person wrote in a sentence of a source, every word is that source's, in its place."""
    if not any(s.person for s in block.words) or len(block.words) == 1:
        return []
    cited = block.span("citation")
    if cited is None or not cited.support:
        return [f"statement {block.id} has words beside a person's, and cites nothing"]
    whole = cited.support[0]
    said = [part.text for part in parts(whole.quote, whole.start)]
    own = [None if s.person else s.text for s in block.words]
    if len(own) == len(said) and all(words in (None, source) for words, source in zip(own, said, strict=True)):
        return []
    return [f"statement {block.id} is not the sentence that it cites, but for a person's words: {block.text[:60]!r}"]


def _person_problems(block: Block, written: Set[Edit]) -> list[str]:
    """Words that are said to be a person's are those which the record of the run says that they wrote there."""
    return [
        f"the record of the run knows nothing of a person's words {span.text.strip()[:40]!r} in {span.id}"
        for span in block.spans
        if span.person
        and not any(e.span in (span.id, block.id) and e.words.strip() == span.text.strip() for e in written)
    ]


def _sources(run: Run, state: ResearchState) -> tuple[dict[str, str], list[str]]:
    """The stored text of every source of the evidence, by id, and what is wrong with it."""
    texts, problems = {}, []
    for source in {p.source.id: p.source for p in state.passages}.values():
        path = run.text_file(source.id)
        if not path.exists():
            problems.append(f"the text of source {source.title!r} is missing")
            continue
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != source.sha256:
            problems.append(f"the text of source {source.title!r} does not match its SHA-256")
        texts[source.id] = data.decode("utf-8", errors="replace")
    return texts, problems


def _span_problems(
    span: Span, state: ResearchState, texts: dict[str, str], written: bool, is_cell: bool = False
) -> list[str]:
    """Whether what a span rests on stands in its source; words that are `written` rest on the anchors beside them, and the cell of a
    comparison may say several values, each behind its name.
    """
    problems = []
    held = {p.id: p for p in state.passages}
    for support in span.support:
        passage = held.get(support.passage)
        if passage is None:
            problems.append(f"span {span.id} is supported by {support.passage}, which the run does not hold")
        elif texts.get(passage.source.id, "")[support.start : support.end] != support.quote:
            problems.append(
                f"the quote of span {span.id} is not in {passage.source.title!r} at {support.start}: {support.quote[:60]!r}"
            )
    copied = span.kind in COPIED and not span.person and not written
    if span.status in ("filled", "pinned") and copied:
        if not span.support:
            problems.append(f"span {span.id} ({span.text[:40]!r}) has no source")
        elif span.text != span.support[0].quote and not (is_cell and span.text and span.text == in_pairs(span)):
            problems.append(f"span {span.id} says {span.text[:40]!r}, its source {span.support[0].quote[:40]!r}")
    return problems
