"""The folder of an index: who may write, what its derived files were made from, and what is set aside."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from .lexical import LexicalIndex
from .store import WAIT_SECONDS
from .types import Frozen, RetrievalError

STORE, LEXICAL, MANIFEST, ORIGINS, LOCK = "index.sqlite", "lexical", "manifest.json", "origins.jsonl", "write.lock"
SENTENCES = "sentences.sqlite"  # vectors of sentences, see remembered.py
OLDER = f"{STORE}.older"  # the truth of an index of an older format, while it is taken over


class Manifest(Frozen):
    """What the word index was made from, and the checksums of its files."""

    format: int = 2
    generation: int
    embedder: str
    dim: int
    num_documents: int
    num_passages: int
    lexical: Mapping[str, str]  # file name -> SHA-256


def prepare(folder: Path, create: bool) -> None:
    """Make the folder where there is none. RetrievalError where it is no index, or holds other things."""
    try:
        held = {path.name for path in folder.iterdir()} if folder.exists() else set()
        if held & {STORE, MANIFEST, OLDER}:
            return
        if not create:
            raise RetrievalError(f"{folder} holds no index; add files to make one.")
        if held - {LOCK, LEXICAL, ORIGINS, SENTENCES, f"{SENTENCES}-wal", f"{SENTENCES}-shm"}:
            raise RetrievalError(f"{folder} holds other things than an index; choose a new or an empty folder.")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise RetrievalError(f"{folder} cannot be used for an index: {exc.strerror}; choose another folder.") from exc


@contextmanager
def write_lock(folder: Path) -> Iterator[None]:
    """One writer among processes. SQLite's own lock: it works on every system and dies with its process."""
    with closing(_locked_connection(folder)):
        yield


def _locked_connection(folder: Path) -> sqlite3.Connection:
    connection = None
    try:
        connection = sqlite3.connect(folder / LOCK, timeout=WAIT_SECONDS, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as exc:
        if connection:
            connection.close()
        if "locked" in str(exc):
            message = f"{folder} is being written by another program; try again when it has finished."
            raise RetrievalError(message, retryable=True) from exc
        raise RetrievalError(f"{folder / LOCK} cannot be used ({exc}); delete it and check the folder.") from exc
    return connection


# Derived files


def read_manifest(folder: Path) -> Manifest | None:
    try:
        return Manifest.model_validate(json.loads((folder / MANIFEST).read_bytes()))
    except (OSError, ValueError):  # pydantic's, json's and the decoder's errors are ValueErrors
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    replace(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())


def replace(path: Path, data: bytes) -> None:
    """Write a file so that a reader sees the old bytes or the new ones."""
    temporary = path.with_name(path.name + ".new")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except OSError as exc:
        raise RetrievalError(f"{path} cannot be written: {exc.strerror}; make room on the disk.") from exc


def read_lexical(folder: Path, checksums: Mapping[str, str]) -> LexicalIndex | None:
    """The word index, if its files are those of the manifest."""
    try:
        return LexicalIndex(folder / LEXICAL) if lexical_checksums(folder) == dict(checksums) else None
    except (OSError, RetrievalError):
        return None


def lexical_checksums(folder: Path, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """SHA-256 by name. Files in `known` are not read again: tantivy writes a segment once and never changes it."""
    found = {}
    for path in sorted((folder / LEXICAL).iterdir()):
        if path.name.startswith("."):  # tantivy's locks and lists come and go
            continue
        is_known = known is not None and path.name in known and path.suffix != ".json"
        found[path.name] = known[path.name] if known and is_known else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise RetrievalError(f"{folder} cannot be replaced: {exc.strerror}; delete it yourself.") from exc


# What was read: lets a lost index.sqlite be made again from the files


def append_origins(folder: Path, origins: Iterable[str]) -> None:
    lines = "".join("\n" + json.dumps(origin) for origin in origins)  # first the newline: the line before may be cut
    try:
        with (folder / ORIGINS).open("a", encoding="utf-8") as file:
            file.write(lines)
    except OSError as exc:
        raise RetrievalError(f"{folder / ORIGINS} cannot be written: {exc.strerror}; make room on the disk.") from exc


def read_origins(folder: Path) -> list[str]:
    """Every origin that was ever added, once, in order; a line that a kill cut short is left out."""
    try:
        lines = (folder / ORIGINS).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [origin for line in dict.fromkeys(lines) for origin in _origin(line)]


def _origin(line: str) -> list[str]:
    try:
        return [str(json.loads(line))]
    except ValueError:
        return []


# Setting aside


def set_aside(folder: Path) -> str:
    """Rename the damaged truth and drop all that was derived from it; the new name."""
    taken = sum(1 for _ in folder.glob(f"{STORE}.damaged-*[0-9]"))
    aside = f"{STORE}.damaged-{taken + 1}"
    for suffix in ("", "-wal", "-shm"):
        if (folder / f"{STORE}{suffix}").exists():
            os.replace(folder / f"{STORE}{suffix}", folder / f"{aside}{suffix}")
    (folder / MANIFEST).unlink(missing_ok=True)
    return aside


def set_older_aside(folder: Path) -> None:
    """Rename the truth of an older format; what was derived from it goes."""
    os.replace(folder / STORE, folder / OLDER)
    for suffix in ("-wal", "-shm"):
        (folder / f"{STORE}{suffix}").unlink(missing_ok=True)  # closing the store has emptied them
    (folder / MANIFEST).unlink(missing_ok=True)
    (folder / "vectors.faiss").unlink(missing_ok=True)  # a derived file of the first format
