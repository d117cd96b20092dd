"""What stands in the evaluation files, known by hash, and the licences of what is trained on: no training text may be one of theirs."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .examples import read_rows

LICENCES = {
    "squad_train": "SQuAD 1.1, CC BY-SA 4.0",
    "qed_train": "QED (Natural Questions), CC BY-SA 3.0",
    "fever_pairs": "FEVER, CC BY-SA 3.0",
    "feverous_pairs": "FEVEROUS, MIT; Wikipedia's sentences CC BY-SA 3.0",
    "wikipedia_pages": "English Wikipedia of July 2019, CC BY-SA 3.0",
}


TEXT_FIELDS = frozenset(
    "question claim context evidence text wrong right title_and_text original revised QUESTION CONTEXTS sentences".split()
)


LEAST_SENTENCE = 40
LEAST_LETTERS = 15  # a shorter text ("yes", a name) is no sign of a row


def fingerprint(text: str) -> str:
    """A hash of the letters and figures of a text, whatever stands between them."""
    return hashlib.blake2b(re.sub(r"\W+", " ", text).strip().lower().encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Held:
    """Fingerprints of the texts of an evaluation folder. Called with a text it says whether that, or a sentence of it, stands there."""

    hashes: frozenset[str]

    def __call__(self, text: str) -> bool:
        return fingerprint(text) in self.hashes or any(fingerprint(s) in self.hashes for s in long_sentences(text))

    @staticmethod
    def of(folder: Path, sentences: bool = False) -> Held:
        """Every question, claim, evidence and passage of the files in `folder`, and every long sentence of them with `sentences`.

        ValueError where there are none.
        """
        paths = sorted(p for p in folder.iterdir() if p.name.endswith((".jsonl", ".jsonl.gz", ".jsonl.xz")))
        if not paths:
            raise ValueError(f"{folder} holds no evaluation files; name the folder with --never")
        whole = {t for p in paths for row in read_rows(p) for t in _texts(row)}
        parts = {s for t in whole for s in long_sentences(t)} if sentences else set()
        return Held(frozenset(map(fingerprint, whole | parts)))


def long_sentences(text: str) -> list[str]:
    """Parts of a text between full stops that are long enough to be nobody else's."""
    parts = re.split(r"(?<=[.!?])\s+|\n+", text)
    return [s for s in parts if len(s) >= LEAST_SENTENCE] if len(parts) > 1 else []


def _texts(value: Any, name: str = "") -> Iterator[str]:
    """The texts of a row that are of a field whose words could leak."""
    if isinstance(value, str):
        if name in TEXT_FIELDS and len(value) >= LEAST_LETTERS:
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, key)
    elif isinstance(value, list):
        yield from _texts("".join(v for v in value if isinstance(v, str)), name)
        for inner in value:
            yield from _texts(inner, name)
