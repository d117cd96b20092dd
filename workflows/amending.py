"""The next version of a finished report, before it is written: what a person asks is checked, and what they bring is kept."""

from __future__ import annotations

from pathlib import Path

from palimpsest.agent import loop, person
from palimpsest.agent.draft import Draft
from palimpsest.agent.state import ResearchState
from palimpsest.agent.steering import NOTHING, Steering
from palimpsest.retrieval.chunks import passages
from palimpsest.retrieval.loaders import Limits, load
from palimpsest.retrieval.types import Document, Frozen, RetrievalError

from .config import Config, is_text
from .errors import USAGE, ResearchError
from .runs import Record, Run, Version

LONGEST_TEXT = 100_000  # letters of a note or of a person's words
NOTES, FETCHED = "notes", "fetched"  # folders of the run's inputs: a person's notes, and pages as they were read


class Evidence(Frozen):
    """What a person brings: files, notes in their own words, addresses of pages."""

    files: tuple[Path, ...] = ()
    texts: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.texts or self.urls)


NO_EVIDENCE = Evidence()


def amend(run: Run, steering: Steering = NOTHING, evidence: Evidence = NO_EVIDENCE, own: Config | None = None) -> int:
    """Begin the next version of a finished report: its number. No model is opened; whoever goes on with the run writes it.

    `own` are the settings of whoever asks: the run's hosts must be theirs (`check_hosts`). ResearchError for what cannot be done.
    """
    if not (steering or evidence):
        raise ResearchError(
            "nothing to revise with; give --evidence FILE, --reopen SPAN, --pin SPAN or --ban SOURCE", USAGE
        )
    if len({path.name for path in evidence.files}) < len(evidence.files):
        raise ResearchError("two evidence files have the same name; rename one", USAGE)
    _check_words(steering, evidence)
    record = run.record()
    brought = [_loaded(path, record.config.reading, uri=f"evidence:{path.name}") for path in evidence.files]
    check_hosts(record, own)
    pages = [_page(url, record.config, own) for url in evidence.urls]
    with run.locked():
        record = run.record()
        if not record.current.done:
            raise ResearchError(f"{record.id} is not finished; first: research resume {record.id}", USAGE)
        state = run.state(record.current.number)
        chosen = _checked(state, steering)
        number = record.current.number + 1
        notes = {f"{NOTES}/{number}-{n}.md": _note(number, n, text) for n, text in enumerate(evidence.texts, 1)}
        kept = {f"{FETCHED}/{n}.json": page.model_dump_json() for n, page in enumerate(pages, 1)}
        inputs = run.take(number, evidence.files, notes | kept)
        version = Version(number=number, kind="revise", inputs=inputs, steering=chosen)
        written = [_read(run, name) for name in inputs[len(evidence.files) : len(evidence.files) + len(notes)]]
        run.keep_sources([*brought, *written, *pages])
        run.save(record.model_copy(update={"versions": (*record.versions, version)}))
    return number


def _note(version: int, number: int, text: str) -> str:
    """A person's note as a document: what they say of it, and no date, for it is not a thing that was published."""
    return f"---\ntitle: Note {number} by a person, with version {version}\n---\n{text.strip()}\n"


def _check_words(steering: Steering, evidence: Evidence) -> None:
    for words in (*(e.words for e in steering.edits), *evidence.texts, *filter(None, (steering.question,))):
        if not words.strip():
            raise ResearchError("words of your own, a note or a question cannot be empty; write some", USAGE)
        if not is_text(words):
            raise ResearchError("the words hold bytes that are no text; type them again in UTF-8", USAGE)
        if len(words) > LONGEST_TEXT:
            raise ResearchError(f"that is {len(words):,} letters long, and at most {LONGEST_TEXT:,} are taken", USAGE)


def check_hosts(record: Record, own: Config | None) -> None:
    """ResearchError when a run would send something to a host that only its folder names: somebody else may have written that."""
    foreign = sorted(record.config.hosts - (own.hosts if own else frozenset()))
    if foreign:
        config = record.config
        named = {
            config.model.rstrip("/"): f"--model {config.model}",
            config.writer.partition("#")[0]: f"--writer {config.writer}",
        }
        how = " ".join(dict.fromkeys(named.get(host, "--config FILE") for host in foreign))
        raise ResearchError(
            f"{record.id} names {', '.join(foreign)} in its folder, and evidence and token would go there; "
            f"if you trust that host, name it yourself: {how}",
            USAGE,
        )


def _page(url: str, config: Config, own: Config | None) -> Document:
    from . import web

    return web.fetch_evidence(url, config.model_copy(update={"offline": config.offline or bool(own and own.offline)}))


def _checked(state: ResearchState, steering: Steering) -> Steering:
    """The same wishes with their sources named by id. ResearchError names a span, block or source that cannot be meant."""
    for name in steering.named:
        _check_place(state.draft, name)
    for name in steering.pin:
        if not any(s.text.strip() for s in person.places(state.draft, name)):
            raise ResearchError(f"{name} is empty; nothing can be pinned there", USAGE)
    for edit in steering.edits:
        block = state.draft.block(edit.span)
        if block is not None and block.kind not in (*person.SENTENCES, "heading", "answer"):
            raise ResearchError(
                f"{edit.span} is a {block.kind}; name one of its spans (research show RUN --spans)", USAGE
            )
    return steering.model_copy(update={"ban": tuple(_source(state, name) for name in steering.ban)})


def _check_place(draft: Draft, name: str) -> None:
    spans = {s.id: s for s in draft.spans()}
    if name not in spans and draft.block(name) is None:
        wrong = f"there is no span or block {name!r}"
    elif not person.places(draft, name):
        wrong = f"span {name!r} is fixed"
    else:
        return
    places = [s.id for s in spans.values() if s.may_change]
    raise ResearchError(f"{wrong}; some that may be opened, pinned or edited: {', '.join(places[:8])}", USAGE)


def _source(state: ResearchState, name: str) -> str:
    """The id of a source given by id, by its number in the report, or by its address."""
    sources = {p.source.id: p.source for p in state.evidence}
    number = name.strip("[] ")
    if number.isdecimal() and 0 < int(number) <= len(state.references) and state.references[int(number) - 1] in sources:
        return state.references[int(number) - 1]
    found = next((s.id for s in sources.values() if name in (s.id, s.uri, s.title)), "")
    if not found:
        known = "; ".join(f"[{n}] {sources[s].title}" for n, s in enumerate(state.references, 1) if s in sources)
        raise ResearchError(f"no source {name!r} in use; the sources are {known or 'none'}", USAGE)
    return found


def start(run: Run, version: Version, record: Record) -> ResearchState:
    """The state from which a version is written; a function of what lies in the run folder."""
    if version.kind == "run":
        return ResearchState(question=record.question, budget=record.config.limits, plan=record.config.plan)
    found = [p for name in version.inputs for p in passages(_read(run, name))]
    return loop.amend(run.state(version.number - 1), found, steering=version.steering)


def _read(run: Run, name: str) -> Document:
    """A document that a person brought, from the run's own copy."""
    path = run.folder / name
    if not path.resolve().is_relative_to(run.folder.resolve()):
        raise ResearchError(f"{name} lies outside {run.folder}; the run is damaged")
    if path.parent.name == FETCHED:
        try:
            return Document.model_validate_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ResearchError(f"{path} is damaged or missing; revise the run again with the page") from error
    return _loaded(path, run.record().config.reading, uri=f"evidence:{path.name}")


def _loaded(path: Path, limits: Limits, uri: str | None = None) -> Document:
    try:
        return load(path, limits=limits, uri=uri)
    except RetrievalError as error:
        raise ResearchError(str(error), USAGE) from error
