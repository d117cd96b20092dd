"""Training examples in words: a draft with typed holes over passages, and what belongs in each. No tokenizer: any backbone reads them.

A file of them is JSON lines, gzipped where its name ends in .gz. A piece is a string or, for a hole, an object {"kind": "ENTITY", ...}.
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Any

from ..kinds import MaskKind, SlotSpec

Row = dict[str, Any]
Piece = str | SlotSpec


@dataclass(frozen=True)
class Target:
    """The right filling of a slot: `spans` (passage, start, end) of characters to copy, start -1 to cite a passage, or `words` written
    from the vocabulary, a control name among them. With neither the slot has no loss. `now` is what a draft of before the evidence says
    there.
    """

    spans: tuple[tuple[int, int, int], ...] = ()
    words: str = ""
    now: str = ""


@dataclass(frozen=True)
class Example:
    """A canvas in words, with a target for each slot of the draft. `task` and `source` (a data set) say what it came of."""

    question: tuple[Piece, ...]
    passages: tuple[str, ...]
    draft: tuple[Piece, ...]
    targets: tuple[Target, ...]
    task: str
    source: str = ""

    @property
    def slots(self) -> list[SlotSpec]:
        return [p for p in self.draft if isinstance(p, SlotSpec)]

    def words(self, slot: int) -> str:
        """The right words of a slot as a reader would see them; "" where nothing is to be written."""
        target = self.targets[slot]
        if target.spans and target.spans[0][1] >= 0:
            passage, start, end = target.spans[0]
            return self.passages[passage][start:end]
        return target.words

    def to_json(self) -> str:
        row = {
            "task": self.task,
            "source": self.source,
            "question": [_piece_to_json(p) for p in self.question],
            "passages": self.passages,
            "draft": [_piece_to_json(p) for p in self.draft],
            "targets": [{k: v for k, v in asdict(t).items() if v} for t in self.targets],
        }
        return json.dumps(row, ensure_ascii=False)

    @staticmethod
    def from_json(line: str) -> Example:
        """ValueError names what a line lacks."""
        try:
            row = json.loads(line)
            example = Example(
                tuple(map(_piece_of_json, row["question"])),
                tuple(map(str, row["passages"])),
                tuple(map(_piece_of_json, row["draft"])),
                tuple(_target_of_json(t) for t in row["targets"]),
                str(row["task"]),
                str(row.get("source", "")),
            )
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as exc:
            raise ValueError(f"a line is no example of this format ({exc!r}); build the file anew") from exc
        if len(example.slots) != len(example.targets):
            counts = f"{len(example.slots)} slots and {len(example.targets)} targets"
            raise ValueError(f"an example has {counts}; give every slot a target")
        return example


def _piece_to_json(piece: Piece) -> str | Row:
    if isinstance(piece, str):
        return piece
    given = {f.name: getattr(piece, f.name) for f in fields(piece) if getattr(piece, f.name) != f.default}
    return {**given, "kind": piece.kind.name}


def _piece_of_json(piece: str | Row) -> Piece:
    if isinstance(piece, str):
        return piece
    given: Row = {name: tuple(value) if isinstance(value, list) else value for name, value in piece.items()}
    return SlotSpec(**{**given, "kind": MaskKind[given["kind"]]})


def _target_of_json(row: Row) -> Target:
    spans = tuple((int(p), int(s), int(e)) for p, s, e in row.get("spans", ()))
    return Target(spans, str(row.get("words", "")), str(row.get("now", "")))


def _open(path: Path, mode: str) -> Any:
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
    return openers.get(path.suffix, open)(path, mode, encoding="utf-8")


def read_rows(path: Path, limit: int | None = None) -> list[Row]:
    """Rows of a .jsonl, .jsonl.gz or .jsonl.xz file."""
    with _open(path, "rt") as lines:
        return [json.loads(line) for line in islice(lines, limit)]


def read_examples(path: Path) -> Iterator[Example]:
    with _open(path, "rt") as lines:
        yield from map(Example.from_json, lines)


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    with _open(path, "wt") as out:
        out.writelines(example.to_json() + "\n" for example in examples)
