"""Fit what tells the kinds of answers: of a person, of a place, an amount or a date, another thing.

    python -m palimpsest.workflows.evaluation.fit_answers --train FOLDER --out answers.json

The answers of squad_train.jsonl.gz, by the words that their questions ask with. One in five of its titles is held out: of these answers
to "who" and to "where" a share of `LOST` may be called of another kind, which gives `least`. Those that hold a name never are.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent.answer_kinds import AMOUNT, ASKED, PERSON, PLACE, THING, AnswerKinds, is_named
from palimpsest.agent.questions import asked_kind, first_asked
from palimpsest.dlm_core.training.examples import read_rows

from ..corpus import open_embedder
from .linear_fit import linear_text

BUCKETS, COUNT, BATCH = 512, 3_000, 500
HELD = 5  # of so many titles one is held out
LOST = 0.015
THINGS = ("what", "which")


class Answer(NamedTuple):
    text: str
    kind: str
    is_held: bool


def answers(rows: Iterable[dict[str, Any]], count: int, seed: int) -> list[Answer]:
    """At most `count` answers of each kind to fit with, and all of the titles that are held out."""
    rows = [row for row in rows if row["answers"]]
    titles = sorted({row["title"] for row in rows})
    random.Random(seed).shuffle(titles)
    held = set(titles[::HELD])
    random.Random(seed).shuffle(rows)
    found: list[Answer] = []
    taken: dict[str, int] = {}
    for row in rows:
        answer = Answer(row["answers"][0]["text"], kind_of(row["question"]), row["title"] in held)
        taken[answer.kind] = taken.get(answer.kind, 0) + (not answer.is_held)
        if answer.kind and (answer.is_held or taken[answer.kind] <= count):
            found.append(answer)
    return found


def kind_of(question: str) -> str:
    """The kind that a question asks for by its first question word; "" of "why" and "how"."""
    word = first_asked(question)
    if asked_kind(question) == "NUMBER":
        return AMOUNT
    return ASKED.get(word, THING if word in THINGS else "")


def least(shares: Sequence[float], num_named: int) -> float:
    """Below it lie `LOST` of the answers of a kind, `num_named` with a name among them: `shares` of the kind have the others."""
    found = np.sort(np.array([*shares, *[1.0] * num_named]))[int(LOST * (len(shares) + num_named))]
    return math.floor(1000 * float(found)) / 1000


def fit(found: Sequence[Answer], embed: Callable[[Sequence[str]], NDArray[np.float32]]) -> AnswerKinds:
    own = [answer for answer in found if not answer.is_held]
    held = [answer for answer in found if answer.is_held and not is_named(answer.text)]
    words = linear_text([a.text for a in own], [a.kind for a in own], BUCKETS, embed([a.text for a in own]))
    shares = words.probabilities([a.text for a in held], embed([a.text for a in held]))
    of = {
        (kind, asked): [
            float(r[words.labels.index(asked)]) for r, a in zip(shares, held, strict=True) if a.kind == kind
        ]
        for kind in words.labels
        for asked in (PERSON, PLACE)
    }
    named = Counter(a.kind for a in found if a.is_held and is_named(a.text))
    low = {asked: least(of[asked, asked], named[asked]) for asked in (PERSON, PLACE)}
    measured = {
        f"{kind}_is_no_{asked}": round(float(np.mean([share < low[asked] for share in found])), 3)
        for (kind, asked), found in of.items()
    }
    return AnswerKinds(words=words, least=low, measured=measured)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m palimpsest.workflows.evaluation.fit_answers",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    found = answers(read_rows(chosen.train / "squad_train.jsonl.gz"), COUNT, chosen.seed)
    embedder = open_embedder()
    fitted = fit(
        found, lambda texts: np.vstack([embedder.embed(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)])
    )
    chosen.out.write_text(fitted.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(f"least {fitted.least}; of answers without a name of titles held out, by kind and by the kind asked:")
    for name, share in fitted.measured.items():
        print(f"{name} {share}")


if __name__ == "__main__":
    main()
