"""The log of a run as a hash chain, and what is sealed in it when a version is finished.

Every line of events.jsonl carries the SHA-256 of the line before it and of itself. The last line of a version, `sealed`, holds the
digests of the finished state, of the record, of every file that is not made from these, and of the code that made the others. The
report carries the head of the chain. Who changes anything afterwards must recompute the chain from there; a head that was kept
elsewhere shows that too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palimpsest.agent.state import Event

if TYPE_CHECKING:
    from .runs import Record, Run

START = "0" * 64
MAKING = ("agent", "retrieval", "workflows")  # rooms whose code makes the files of a run


def digest(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def link(before: str, line: dict[str, Any]) -> str:
    """The hash of a line of the log, given the hash of the line before it."""
    bare = {k: v for k, v in line.items() if k != "hash"}
    return digest(before + json.dumps(bare, ensure_ascii=False, sort_keys=True))


def head(events: Sequence[dict[str, Any]]) -> str:
    return str(events[-1].get("hash", "")) if events else START


def broken(events: Sequence[dict[str, Any]]) -> int | None:
    """The number (from 1) of the first line that does not follow from the line before it; None when the chain holds."""
    before = START
    for number, line in enumerate(events, 1):
        if line.get("hash") != link(before, line):
            return number
        before = line["hash"]
    return None


def holds(kept: str, events: Sequence[dict[str, Any]], stopped: Sequence[dict[str, Any]]) -> bool:
    """Whether a head that was kept is one of the log, or that of a version which was stopped and gone on with later.

    The lines that were taken back then are `stopped`: they follow from a line that the log still holds, or from each other. So whoever
    writes the log anew cannot keep them.
    """
    if kept in {e.get("hash") for e in events}:
        return True
    places = {(e["version"], e["n"]): str(e.get("hash")) for e in events}
    before = ""
    for line in stopped:
        ahead = max((at for at in places if at < (line["version"], line["n"])), default=None)
        follows = {link(h, line) for h in (before, places[ahead] if ahead else "") if h}
        before = str(line.get("hash")) if line.get("hash") in follows else ""
        if before and before == kept:
            return True
    return False


def sealed(run: Run, record: Record, version: int, state: str) -> Event:
    """What is sealed of a finished version: `state` is the text of its draft file."""
    data = {
        "state": digest(state), "record": facts(record, version), "files": files(run, record, version),
        "calls": calls(run.calls_file), "made_by": maker(),
    }  # fmt: skip
    return Event(step="finish", kind="sealed", text=f"version {version} is sealed", data=data)


@cache
def maker() -> str:
    """The digest of the code that makes a run's files: another one may show the same state in other words."""
    floor = Path(__file__).parents[1]
    found = sorted(path for room in MAKING for path in (floor / room).rglob("*.py"))
    return digest("".join(f"{path.relative_to(floor).as_posix()} {digest(path.read_bytes())}\n" for path in found))


def is_of_this(events: Sequence[dict[str, Any]], version: int) -> bool:
    """Whether the code that is run now sealed a version; what an earlier release sealed does not say who made it."""
    data: dict[str, Any] = next(
        (e["data"] for e in events if e.get("kind") == "sealed" and e["version"] == version), {}
    )
    return data.get("made_by") == maker()


def facts(record: Record, version: int) -> str:
    """The digest of a run's record as it was when a version was finished."""
    versions = [v.model_copy(update={"done": False, "stopped": False}) for v in record.versions if v.number <= version]
    # Without defaults, so that a setting which a later release adds breaks no older seal.
    return digest(record.model_copy(update={"versions": tuple(versions)}).model_dump_json(exclude_defaults=True))


def files(run: Run, record: Record, version: int) -> dict[str, str]:
    """The digests of what lies in the run and is not made from its state: the list of sources, and what a person brought."""
    names = ["evidence/sources.json", *(name for v in record.versions if v.number <= version for name in v.inputs)]
    return {name: _digest_of(run.folder / name) for name in names}


def calls(path: Path, length: int | None = None) -> dict[str, Any]:
    """What is sealed of the calls to services: a later version adds to them, so that only so many bytes count."""
    data = path.read_bytes() if path.is_file() else b""
    return {"bytes": len(data[:length]), "sha256": digest(data[:length])}


def _digest_of(path: Path) -> str:
    return digest(path.read_bytes()) if path.is_file() else ""
