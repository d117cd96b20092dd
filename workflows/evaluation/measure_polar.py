"""Measure what verdicts on questions to be answered by yes or no are worth where the texts are of studies.

    python -m palimpsest.workflows.evaluation.measure_polar --eval FOLDER

The questions of pubmedqa.jsonl.gz that are a claim, each beside the abstract it was made from and its authors' conclusion, which were
answered "yes", "no" or "maybe" by readers. Once sentences of studies decide, once, as shipped, they do not.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from palimpsest.agent import balance, polar
from palimpsest.agent.numbers import Numbers
from palimpsest.agent.questions import claimed
from palimpsest.agent.state import Reader, Writer
from palimpsest.dlm_core.training.examples import read_rows
from palimpsest.retrieval.chunks import passages, plain_blocks
from palimpsest.retrieval.types import Document, Passage, Source

from ..calibration import numbers_of, report_weights
from ..config import Config
from ..corpus import open_embedder, open_writer
from ..reading import SelectingReader

BOTH = "both ways"


class Question(NamedTuple):
    text: str
    answer: str
    passages: tuple[Passage, ...]


class Worth(NamedTuple):
    """Of so many questions asked how many were told, and how many of these rightly; "maybe" and "both ways" are never right."""

    asked: int
    told: int
    right: int


def questions(rows: Iterable[Mapping[str, Any]]) -> Iterator[Question]:
    for row in rows:
        if claimed(row["QUESTION"]):
            text = "\n\n".join((*row["CONTEXTS"], row["LONG_ANSWER"]))
            source = Source(id=row["pmid"], uri=f"pmid:{row['pmid']}", title="", sha256="0" * 64)
            held = passages(Document(source=source, text=text, blocks=tuple(plain_blocks(text))))
            yield Question(row["QUESTION"], row["final_decision"], tuple(held))


def told(writer: Writer, reader: Reader, numbers: Numbers, question: Question, studies: Set[str]) -> str:
    """ "yes", "no", `BOTH`, or "" where nothing decides."""
    found = balance.judged(writer, reader, numbers, question.text, question.passages, studies)
    said = polar.answer(question.text, found).text
    return polar.read_as(said) or (BOTH if said else "")


def worth(answers: Sequence[str], wanted: Sequence[str]) -> Worth:
    pairs = [(said, right) for said, right in zip(answers, wanted, strict=True) if said]
    return Worth(len(answers), len(pairs), sum(said == right for said, right in pairs))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m palimpsest.workflows.evaluation.measure_polar",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--eval", type=Path, required=True)
    parser.add_argument("--limit", type=int)
    chosen = parser.parse_args()
    found = list(questions(read_rows(chosen.eval / "pubmedqa.jsonl.gz")))[: chosen.limit]
    writer, numbers = open_writer(Config()), numbers_of("embedded")
    reader = SelectingReader(open_embedder(), report_weights())
    wanted = [q.answer for q in found]
    for name, mute in (("studies decide", False), ("studies do not decide", True)):
        answers = [told(writer, reader, numbers, q, reader.studies(q.passages) if mute else frozenset()) for q in found]
        sides = ", ".join(
            f"{side} {w.right} of {w.told}"
            for side in ("yes", "no", BOTH)
            if (w := worth([a if a == side else "" for a in answers], wanted)).told
        )
        asked, said, right = worth(answers, wanted)
        print(f"{name}: {said} of {asked} told, {right} of them rightly ({sides})")


if __name__ == "__main__":
    main()
