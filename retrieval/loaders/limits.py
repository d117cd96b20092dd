"""How much of a file is read: generous figures in one place. What a limit leaves out is named in `Document.unread`."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """`seconds` (of wall clock) and `memory_bytes` bind the worker process, the others what is read of one file."""

    file_bytes: int = 100 * MEGABYTE
    unpacked_bytes: int = 200 * MEGABYTE  # docx, xlsx, epub and their like are zips: a small one can hold gigabytes
    members: int = 10_000  # parts of such a zip, attachments and messages of a mailbox
    pages: int = 5_000
    characters: int = 20_000_000
    cells: int = 500_000  # of all tables of a document
    nesting: int = 100  # of JSON values and messages within messages
    seconds: float = 60.0
    memory_bytes: int = 768 * MEGABYTE
