"""How a file is known again: by its stamp, and where the stamp is not enough, by its bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path

READERS_EDITION = 9  # raised when the loaders read a file otherwise than they did: every file is then read again
TRUSTED_AFTER_NS = 2_000_000_000  # a file may change twice within one tick of a coarse file system's clock
MAX_HASHED_BYTES = 100 * 1024 * 1024


@dataclass(frozen=True)
class Stamp:
    """What the file system says of a file, and when it was asked (`checked_ns`, not compared)."""

    size: int
    modified_ns: int
    changed_ns: int
    inode: int
    checked_ns: int

    def is_same(self, other: Stamp) -> bool:
        """Whether `other`, taken later, surely shows the same file: equal, and old enough when this one was taken."""
        fields = ("size", "modified_ns", "changed_ns", "inode")
        are_equal = all(getattr(self, name) == getattr(other, name) for name in fields)
        return are_equal and max(self.modified_ns, self.changed_ns) < self.checked_ns - TRUSTED_AFTER_NS


def stamp_of(path: Path) -> Stamp | None:
    """None where there is no regular file to look at; reading it says why."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return Stamp(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, time.time_ns())


def sha256_of(path: Path, stamp: Stamp | None) -> str:
    """The hash of a file's bytes; "" where they cannot be read or are too many."""
    if stamp is None or stamp.size > MAX_HASHED_BYTES:
        return ""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def readers() -> str:
    """Which readers are at work: what they could not read is tried again by others."""
    return f"{READERS_EDITION}{'+tesseract' if shutil.which('tesseract') else ''}"


def origin_of(path: Path) -> str:
    """The file's absolute path as text that any encoding can hold, whatever bytes its name is made of."""
    return os.fsencode(os.path.abspath(path)).decode("utf-8", "backslashreplace")
