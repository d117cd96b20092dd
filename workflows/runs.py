"""The run folder: the record of a run, written so that a kill at any instant leaves something to go on from."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from palimpsest.agent.state import Event, ResearchState
from palimpsest.agent.steering import NOTHING, Steering
from palimpsest.retrieval.types import Call, Document, Frozen, Source

from .config import Config
from .errors import USAGE, ResearchError
from .seal import START, link

LOCK = "write.lock"
GLANCE = 0.5  # seconds that a writer waits for whoever only looks whether somebody writes
PACKAGES = ("palimpsest-research", "torch", "langgraph", "faiss-cpu", "tantivy")


class Version(Frozen):
    """One report: the first of a run, or what a revision made of it. `inputs` are files of the run's own `inputs/`.

    One that a person `stopped` is done, and can be gone on with as long as it is the newest.
    """

    number: int
    kind: Literal["run", "revise"]
    inputs: tuple[str, ...] = ()
    steering: Steering = NOTHING
    done: bool = False
    stopped: bool = False


class Record(Frozen):
    """run.json."""

    id: str
    question: str
    created: str
    started_in: Path = Path()  # where the config's relative paths begin
    config: Config
    model: str
    packages: dict[str, str]
    versions: tuple[Version, ...] = Field(min_length=1)

    @property
    def current(self) -> Version:
        return self.versions[-1]


class Run:
    """A run folder by its path; every file is read when asked for and written whole, by rename."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.report = folder / "report.md"
        self.checkpoint = folder / "checkpoint.sqlite"
        self.events_file = folder / "events.jsonl"
        self.frames_file = folder / "frames.jsonl"
        self.calls_file = folder / "evidence" / "calls.jsonl"
        self._stop_file = folder / "stop"
        self._stopped_file = folder / "stopped.jsonl"

    @staticmethod
    def create(question: str, config: Config, model: str, name: str = "") -> Run:
        """A new folder under config.out, called `name` or after the question. ResearchError when a run of that name exists."""
        called = name or fresh_name(question)
        run = Run(config.out / called)
        if not is_name(called) or (run.folder / "run.json").exists():
            raise ResearchError(
                f"{name!r} cannot name a new run; take small letters, digits and hyphens, and a new name", USAGE
            )
        try:
            run.folder.mkdir(parents=True, exist_ok=bool(name))
        except OSError as error:
            raise ResearchError(
                f"cannot write runs into {config.out} ({error.strerror}); give --out a folder", USAGE
            ) from error
        created = datetime.now(UTC).isoformat(timespec="seconds")
        packages = {name: _version(name) for name in PACKAGES}
        first = (Version(number=1, kind="run"),)
        run.save(
            Record(
                id=run.folder.name,
                question=question,
                created=created,
                started_in=Path.cwd(),
                config=config,
                model=model,
                packages=packages,
                versions=first,
            )
        )
        return run

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer among processes: SQLite's own lock, which works on every system and dies with its process."""
        path = self.folder / LOCK
        try:
            lock = sqlite3.connect(path, timeout=GLANCE, isolation_level=None, check_same_thread=False)
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                name = self.folder.name
                raise ResearchError(f"{name} is being written by another process; wait for it, or stop it") from error
            raise ResearchError(f"{path} cannot be written ({error}); mend that and try again") from error
        with closing(lock):
            yield

    def is_being_written(self) -> bool:
        """Whether a process writes it now; looking takes a reader's lock for a moment, which a writer waits for (`GLANCE`)."""
        path = self.folder / LOCK
        if not path.exists():
            return False
        try:
            with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as look:
                look.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
        return False

    @staticmethod
    def find(reference: str, out: Path) -> Run:
        """The run named by a path, an id, the unique start of one, or "last"; ResearchError lists what there is."""
        if (Path(reference) / "run.json").exists():
            return Run(Path(reference))
        runs = Run.all(out)
        if reference == "last" and runs:
            return runs[-1]
        matches = [r for r in runs if r.folder.name == reference] or [
            r for r in runs if r.folder.name.startswith(reference)
        ]
        if len(matches) == 1:
            return matches[0]
        names = ", ".join(r.folder.name for r in (matches or runs)[-5:]) or "none yet"
        if matches:
            raise ResearchError(f"{reference!r} is the start of several runs ({names}); give more of the id", USAGE)
        raise ResearchError(f"there is no run {reference!r} in {out}; the latest are: {names}", USAGE)

    @staticmethod
    def all(out: Path) -> list[Run]:
        """Every run under a folder, the oldest first."""
        found = [Run(p.parent) for p in out.glob("*/run.json")]
        return sorted(found, key=lambda r: (_created(r), r.folder.name))

    def ask_to_stop(self) -> None:
        """Tell whoever writes it that a person wants a report of what is known now."""
        self._stop_file.touch()

    def is_stop_asked(self) -> bool:
        return self._stop_file.exists()

    def forget_stop(self) -> None:
        self._stop_file.unlink(missing_ok=True)

    def record(self) -> Record:
        return _parse(Record, self.folder / "run.json")

    def save(self, record: Record) -> None:
        write(self.folder / "run.json", record.model_dump_json(indent=2) + "\n")

    def state(self, number: int) -> ResearchState:
        """The finished state of a version."""
        path = self.folder / "drafts" / f"{number}.json"
        if not path.exists():
            raise ResearchError(
                f"version {number} of {self.folder.name} is not finished; research resume {self.folder.name}", USAGE
            )
        return _parse(ResearchState, path)

    def events(self) -> list[dict[str, Any]]:
        """Every event line, in order, up to the first that is none: a kill may cut the last one off, even inside a letter."""
        return _events(self.events_file)

    def stopped_events(self) -> list[dict[str, Any]]:
        """The lines that were taken back when a stopped run went on: a head of them may have been kept."""
        return _events(self._stopped_file)

    def count_events(self, version: int) -> int:
        return sum(e["version"] == version for e in self.events())

    def cut_events(self, version: int, keep: int) -> None:
        """Drop what was written of `version` after its last checkpoint: it will happen again. What was sealed is set aside."""
        kept: list[dict[str, Any]] = []
        dropped: list[dict[str, Any]] = []
        for event in self.events():
            (kept if (event["version"], event["n"]) < (version, keep) else dropped).append(event)
        if any(e["kind"] == "sealed" for e in dropped):
            with self._stopped_file.open("a", encoding="utf-8") as out:
                out.write("".join(map(_line, dropped)))
        write(self.events_file, "".join(map(_line, kept)))

    def log(self, version: int, n: int, event: Event) -> None:
        """Add an event to the log, linked to the line before it (`seal.link`)."""
        line = {"version": version, "n": n, **event.model_dump(mode="json")}
        line["hash"] = link(self._head(), line)
        with self.events_file.open("a", encoding="utf-8") as out:
            out.write(_line(line))
            out.flush()
            os.fsync(out.fileno())

    def _head(self) -> str:
        """The hash of the last line of the log; the file is read from its end."""
        if not self.events_file.exists():
            return START
        with self.events_file.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            tail = b""
            while size and tail.count(b"\n") < 2:
                step = min(size, 65536)
                size = log.seek(size - step)
                tail = log.read(step) + tail
        lines = tail.split(b"\n")
        return str(json.loads(lines[-2])["hash"]) if len(lines) > 1 else START

    def take(self, number: int, files: Sequence[Path], texts: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """Copy evidence a person brought into the run, so that a resumed revision reads what the first reading did.

        `texts` are written under their names; the names of all that was taken, files first.
        """
        folder = self.folder / "inputs" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, folder / file.name)
        for name, text in (texts or {}).items():
            write(folder / name, text)
        return tuple(f"inputs/{number}/{name}" for name in (*(f.name for f in files), *(texts or {})))

    def keep_sources(self, documents: Iterable[Document]) -> None:
        """Store the whole text of documents that are not stored yet."""
        known = {s.id: s for s in self.sources()}
        fresh = {d.source.id: d for d in documents if d.source.id not in known}
        if not fresh:
            return
        for document in fresh.values():
            write(self.text_file(document.source.id), document.text)
        rows = [s.model_dump(mode="json") for s in (*known.values(), *(d.source for d in fresh.values()))]
        write(self.folder / "evidence" / "sources.json", json.dumps(rows, indent=1, ensure_ascii=False) + "\n")

    def sources(self) -> list[Source]:
        path = self.folder / "evidence" / "sources.json"
        try:
            return [Source.model_validate(row) for row in json.loads(path.read_text(encoding="utf-8"))]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ResearchError(f"{path} cannot be read ({error.strerror}); mend that and try again") from error
        except (ValueError, TypeError, RecursionError) as error:  # no text, no JSON, no list, no sources
            raise ResearchError(
                f"{path} is damaged; the evidence of this run cannot be trusted, run the question again"
            ) from error

    def keep_calls(self, calls: Iterable[Call]) -> None:
        """Note what services were asked, and how each call ended."""
        lines = "".join(call.model_dump_json() + "\n" for call in calls)
        if lines:
            self.calls_file.parent.mkdir(parents=True, exist_ok=True)
            with self.calls_file.open("a", encoding="utf-8") as out:
                out.write(lines)

    def calls(self) -> list[Call]:
        """Every call so far; a line that a kill cut off is left out."""
        path = self.calls_file
        found = []
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n") if path.exists() else ():
            with suppress(ValidationError):
                found.append(Call.model_validate_json(line))
        return found

    def count_calls(self) -> dict[str, dict[str, int]]:
        """How often each service was asked, by ending."""
        counted: dict[str, dict[str, int]] = {}
        for call in self.calls():
            endings = counted.setdefault(call.service, {})
            endings[call.outcome] = endings.get(call.outcome, 0) + 1
        return counted

    def text_file(self, source_id: str) -> Path:
        """Where the text of a source lies. ResearchError for an id that leads out of the run's folder."""
        if Path(source_id).name != source_id:
            raise ResearchError(f"{source_id!r} is no source's id; {self.folder.name} is damaged")
        return self.folder / "evidence" / "sources" / f"{source_id}.txt"


def fresh_name(question: str) -> str:
    """A name for a run's folder: words of the question and six digits of chance."""
    slug = "-".join(re.findall(r"[a-z0-9]+", question.lower()))[:48].strip("-") or "run"
    return f"{slug}-{secrets.token_hex(3)}"


def is_name(name: str) -> bool:
    """Whether a name can be a run's folder: small letters, digits and hyphens, which are safe in a path, a command and an address."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,79}", name) is not None


def _events(path: Path) -> list[dict[str, Any]]:
    """The event lines of a file, up to the first that is none; [] where there is no file."""
    found: list[dict[str, Any]] = []
    for line in (
        path.read_bytes().split(b"\n") if path.exists() else ()
    ):  # str.splitlines would also split at U+2028 in a text
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not (isinstance(event, dict) and {"version", "n", "text", "data"} <= event.keys()):
            break
        found.append(event)
    return found


def _line(event: dict[str, Any]) -> str:
    return json.dumps(event, ensure_ascii=False) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file whole, by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def _parse(kind: Any, path: Path) -> Any:
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise ResearchError(f"{path} is damaged; restore it, or run the question again") from error
    except OSError as error:
        raise ResearchError(
            f"{path} cannot be read ({error.strerror}); mend that, or run the question again"
        ) from error


def _created(run: Run) -> str:
    try:
        return str(json.loads((run.folder / "run.json").read_text(encoding="utf-8"))["created"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return ""  # what is wrong with it is said when it is read


def _version(name: str) -> str:
    from importlib.metadata import PackageNotFoundError

    try:
        return installed(name)
    except PackageNotFoundError:
        return "not installed"
