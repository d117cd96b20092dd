"""The log of a run as a hash chain, and what is sealed in it when a version is finished.

Every line of events.jsonl carries the SHA-256 of the line before it and of itself. The last line of a version, `sealed`, holds the
digests of the finished state, of the record and of every file that is not made from these. The report carries the head of the chain.
Who changes anything afterwards must recompute the chain from there; a head that was kept elsewhere shows that too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palimpsest.agent.state import Event

if TYPE_CHECKING:
    from .runs import Record, Run

START = "0" * 64


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


def sealed(run: Run, record: Record, version: int, state: str) -> Event:
    """What is sealed of a finished version: `state` is the text of its draft file."""
    data = {"state": digest(state), "record": facts(record, version), "files": files(run, record, version)}
    return Event(step="finish", kind="sealed", text=f"version {version} is sealed", data=data)


def facts(record: Record, version: int) -> str:
    """The digest of a run's record as it was when a version was finished."""
    versions = [v.model_copy(update={"done": False, "stopped": False}) for v in record.versions if v.number <= version]
    # Without defaults, so that a setting which a later release adds breaks no older seal.
    return digest(record.model_copy(update={"versions": tuple(versions)}).model_dump_json(exclude_defaults=True))


def files(run: Run, record: Record, version: int) -> dict[str, str]:
    """The digests of what lies in the run and is not made from its state: the list of sources, and what a person brought."""
    names = ["evidence/sources.json", *(name for v in record.versions if v.number <= version for name in v.inputs)]
    return {name: _digest_of(run.folder / name) for name in names}


def _digest_of(path: Path) -> str:
    return digest(path.read_bytes()) if path.is_file() else ""
