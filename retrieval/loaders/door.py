"""Files to documents, one bad file harming nobody: `find_files` names what is there, `load` reads one."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from base64 import b64decode
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..types import Document, Failure, RetrievalError, Source
from .dates import iso_date
from .limits import Limits
from .reading import READERS, printable, refusal
from .structure import Box, clean, one_line
from .worker import WORKER

_NAMED = 20  # files of one unknown kind named one by one; the rest is counted
_DEFAULT = Limits()
PAGE = f"{__package__}.page"


def load(path: str | os.PathLike[str], *, limits: Limits = _DEFAULT, uri: str | None = None) -> Document:
    """The document in a file, read in a worker process. Its uri is `uri`, else the url in its front matter, else its absolute path.

    What of it could not be read stands in `unread`. Raises RetrievalError where nothing of it can be read.
    """
    if reason := refusal(path):
        raise RetrievalError(reason)
    return Document.model_validate_json(WORKER.read(os.path.abspath(path), limits, uri))


def page_picture(path: str | os.PathLike[str], page: int, box: Box, *, limits: Limits = _DEFAULT) -> bytes:
    """A page (from 1) of a PDF as a PNG, with a frame around a block's `box`, made in the worker process. RetrievalError as `load`."""
    wanted = json.dumps([page, box])
    return b64decode(json.loads(WORKER.read(os.path.abspath(path), limits, wanted, reader=PAGE)))


def document(
    text: str,
    *,
    uri: str,
    title: str = "",
    authors: Iterable[str] = (),
    date: str | None = None,
    media_type: str = "text/plain",
) -> Document:
    """A document without blocks, its ids made from the text; control characters are dropped, a blank text is refused.

    What a text has beyond the letters of Limits is left out and said in `unread`.
    """
    text, whole = clean(text)[: _DEFAULT.characters], len(text)
    if not text.strip():
        raise RetrievalError(f"{uri} holds no text; leave it out or give a file with words in it.")
    digest = hashlib.sha256(text.encode()).hexdigest()
    date = iso_date(date or "")
    source = Source(
        id=digest[:12],
        uri=uri,
        title=one_line(title)[:300] or _first_heading(text) or uri,
        authors=tuple(name[:300] for name in map(one_line, authors) if name),
        date=date,
        sha256=digest,
        media_type=media_type,
        date_from="metadata" if date else "",
    )
    cut = f"{uri} has {whole:,} letters; those after the first {_DEFAULT.characters:,} are not read; split it."
    unread = (Failure(name=uri, message=cut),) if whole > _DEFAULT.characters else ()
    return Document(source=source, text=text, unread=unread)


def _first_heading(text: str) -> str:
    line = next((line for line in text.split("\n") if line[:1] == "#" and line.strip("# \t")), "")
    return one_line(line.strip("# \t"))[:300]


@dataclass
class _Finds:
    files: dict[Path, None] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    unknown: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def fail(self, path: str | os.PathLike[str], reason: str) -> None:
        self.failures.append(Failure(name=printable(path), message=f"{printable(path)} {reason}"))


def find_files(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Path], list[Failure]]:
    """Every readable kind of file under `paths`, sorted within each folder, each once; what is passed over is named.

    Inside folders hidden files are skipped and links to folders not followed. A path that does not exist and a folder with
    nothing to read raise RetrievalError.
    """
    finds = _Finds()
    for path in map(Path, paths):
        if path.is_dir():
            _walk(path, finds)
        elif not path.exists():  # nor does a link that leads nowhere or in a circle
            raise RetrievalError(f"{printable(path)} does not exist; check the spelling of the path.")
        else:
            _take(os.path.realpath(path), path, finds)
    for suffix, names in finds.unknown.items():
        if len(names) > _NAMED:
            kind = suffix or "no ending"
            message = (
                f"{len(names) - _NAMED} more files with {kind} are of no known kind; convert those that hold text."
            )
            finds.failures.append(Failure(name=f"{len(names) - _NAMED} files: {kind}", message=message))
    return list(finds.files), finds.failures


def _walk(folder: Path, finds: _Finds) -> None:
    def refused(error: OSError) -> None:
        finds.fail(error.filename, f"cannot be opened: {error.strerror}; grant permission on it.")

    inside = os.path.realpath(folder)
    before, before_failures = len(finds.files), len(finds.failures)
    for parent, folders, names in os.walk(inside, onerror=refused):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if os.path.islink(os.path.join(parent, name)):
                finds.fail(
                    os.path.join(parent, name), "is a link to a folder, which is not followed; name that folder itself."
                )
        for name in sorted(name for name in names if not name.startswith(".")):
            _look_at(os.path.join(parent, name), inside, finds)
    failed = finds.failures[before_failures:]
    if len(finds.files) == before and all("no known kind" in failure.message for failure in failed):
        more = f" It holds files of other kinds: {failed[0].message}" if failed else ""
        raise RetrievalError(f"{printable(folder)} holds no file to read; put {', '.join(READERS)} files there.{more}")


def _look_at(path: str, inside: str, finds: _Finds) -> None:
    real = os.path.realpath(path)
    # A link may not lead out of the folder that the user named.
    if os.path.islink(path) and real != path and not Path(real).is_relative_to(inside):
        finds.fail(path, "is a link that leads out of the folder; name the file itself.")
    else:
        _take(real, path, finds)


def _take(real: str, path: str | os.PathLike[str], finds: _Finds) -> None:
    try:
        mode = os.stat(real).st_mode
    except OSError as exc:  # a loop of links, or gone meanwhile
        finds.fail(path, f"cannot be opened: {exc.strerror}; check what the link points to.")
        return
    if not stat.S_ISREG(mode):
        finds.fail(path, "is no regular file (a pipe, socket or device); leave it out.")
    elif reason := refusal(real):
        suffix = Path(real).suffix.lower()
        finds.unknown[suffix].append(printable(real))
        if len(finds.unknown[suffix]) <= _NAMED:
            finds.failures.append(Failure(name=printable(real), message=reason))
    else:
        finds.files[Path(real)] = None
