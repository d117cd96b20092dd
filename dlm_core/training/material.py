"""What drawers draw from: the rows of a training folder by file, and the pieces that many drawers share."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..kinds import MaskKind, typed_spans
from .corpus import Corpus
from .examples import Example, Row
from .gather import SOURCES, read_named

Drawer = Callable[["Material", random.Random], Example | None]  # None where what it happened on does not lend itself

_SENTENCE = re.compile(r"(?<=[.!?])[\"”)]?\s+(?=[\"“(]?[A-Z0-9])")
COMMON = frozenset(
    "the a an of in on at to for and or but with by from as is was are were be been being it its this that these those he she they "
    "his her their which who whom what when where how why did do does has have had not no than then there also one two into after "
    "before about over under between during through most more such other some any all both first new known used can may will".split()
)


def sentences(text: str) -> list[str]:
    """The sentences of a paragraph, none empty."""
    return [s for s in _SENTENCE.split(text.strip()) if s.strip()]


def content_words(text: str) -> set[str]:
    """Lower-case words that say something."""
    return {w for w in re.findall(r"[\w'-]+", text.lower()) if len(w) > 2 and w not in COMMON}


@dataclass
class Material:
    """The rows of a gathered folder, and the older drawers over the same rows (`corpus`)."""

    rows: dict[str, list[Row]]
    corpus: Corpus
    contexts: dict[str, str] = field(default_factory=dict)  # by its opening, the paragraph of a question
    by_article: dict[str, Row] = field(default_factory=dict)

    @staticmethod
    def load(folder: Path) -> Material:
        """FileNotFoundError names the file that the folder lacks."""
        rows = {name: read_named(folder, name) for name in SOURCES}
        rows["wikipedia_pages"] = [row for row in rows["wikipedia_pages"] if len(row["paragraphs"]) > 1]
        corpus = Corpus.of_rows(rows)
        contexts = {row["context"][:48]: row["context"] for row in rows["squad_train"]}
        twins = [
            {**row, "context": row.get("context") or contexts.get(row.get("opening", ""), "")}
            for row in rows["unanswerable_pairs"]
        ]
        rows["unanswerable_pairs"] = [row for row in twins if row["context"]]
        articles = {row["id"]: row for row in rows["pmc_articles"] if row.get("id")}
        return Material(rows, corpus, contexts, articles)

    def row(self, name: str, rng: random.Random) -> Row:
        return rng.choice(self.rows[name])


def names_in(
    text: str, kinds: Sequence[MaskKind] = (MaskKind.ENTITY, MaskKind.NUMBER)
) -> list[tuple[int, int, MaskKind]]:
    """The names and figures of a text."""
    return [s for s in typed_spans(text) if s[2] in kinds]


def cut(text: str, size: int) -> str:
    """The first `size` characters at most, up to a space."""
    return text if len(text) <= size else text[: text.rfind(" ", 0, size)]
