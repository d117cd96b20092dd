"""Files that a person sends: bounded, and kept under names of ours; they are parsed by the run, in its worker."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palimpsest.workflows.errors import USAGE, ResearchError

MOST_MEGABYTES = 64  # of one file
MOST_FILES = 200
ENDINGS = (
    "txt md html htm pdf docx xlsx xls ods csv tsv pptx odt odp json jsonl epub eml mhtml mbox tex bib rst org adoc log "
    "png jpg jpeg tiff"
).split()


def endings() -> list[str]:
    return list(ENDINGS)


def keep(folder: Path, files: Sequence[Any]) -> tuple[Path, ...]:
    """Write uploaded files beside those that a folder holds; their paths. ResearchError when they are too many or too large."""
    if len(files) > MOST_FILES:
        raise ResearchError(f"{len(files)} files are too many at once; upload at most {MOST_FILES}", USAGE)
    for file in files:
        if file.size > MOST_MEGABYTES * 2**20:
            raise ResearchError(
                f"{name_of(file.name, 0)} is larger than {MOST_MEGABYTES} MB; put it into a folder instead", USAGE
            )
    folder.mkdir(parents=True, exist_ok=True)
    first = 1 + sum(1 for _ in folder.iterdir())
    kept = tuple(folder / name_of(file.name, number) for number, file in enumerate(files, first))
    for path, file in zip(kept, files, strict=True):
        path.write_bytes(file.getvalue())
    return kept


def name_of(name: str, number: int) -> str:
    """A name of ours for a file that somebody named: its number, plain letters of its own name, and an ending that we know."""
    stem, _, ending = name.replace("\\", "/").rpartition("/")[2].rpartition(".")
    plain = "-".join(re.findall(r"[a-z0-9]+", stem.lower()))[:40].strip("-") or "file"
    known = ending.lower() if ending.lower() in ENDINGS else "txt"
    return f"{number:03}-{plain}.{known}"
