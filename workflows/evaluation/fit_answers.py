"""Fit what tells the kinds of answers: of a person, of a place, an amount or a date, another thing; and what asks for an amount.

    python -m palimpsest.workflows.evaluation.fit_answers --train FOLDER --out answers.json

The answers of squad_train.jsonl.gz, by the words that their questions ask with. One in five of its titles is held out: of these answers
to "who" and to "where" a share of `LOST` may be called of another kind, which gives `least`. Those that hold a name never are.

Questions whose first words do not tell are told apart by their answers: those that are a figure or a date, and those that hold none. Of
those of the titles held out whose answers hold none a share of `LOST` may be taken to ask for an amount, which gives `amount`.

What kind of figure a question asks for (money, a share, a length of time, a date, another measure, a number, none) is told by the
figures in its answers.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from palimpsest.agent import figures
from palimpsest.agent.answer_kinds import (
    AMOUNT,
    ASKED,
    NO_FIGURE,
    PERSON,
    PLACE,
    THING,
    TOLD,
    AnswerKinds,
    Vectors,
    holds_figure,
    is_named,
    measure_of,
)
from palimpsest.agent.asking import plain_question
from palimpsest.agent.questions import asked_kind, first_asked
from palimpsest.agent.wording import LinearText
from palimpsest.dlm_core.kinds import MaskKind
from palimpsest.dlm_core.kinds import kind_of as looks_like
from palimpsest.dlm_core.training.examples import read_rows

from ..corpus import open_embedder
from .linear_fit import linear_text

BUCKETS, COUNT, BATCH = 512, 3_000, 500
ASKING = {AMOUNT: 3_000, THING: 9_000}  # questions of each kind that are fitted with
HELD_ASKING = {AMOUNT: 1_500, THING: 3_500}  # and measured on, at most
MEASURED, MEASURED_NONE = 2_500, 5_000  # questions of each kind of figure, and of none
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
    held = _held_out(rows, seed)
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


class Question(NamedTuple):
    """`holds` tells whether its answer holds a figure; the `kind` of one that holds it beside other words is ""."""

    text: str
    kind: str
    holds: bool
    is_held: bool


def questions(rows: Iterable[dict[str, Any]], seed: int) -> list[Question]:
    """Questions whose first words do not tell whether they ask for an amount, with what their answers tell of it."""
    rows = [row for row in rows if row["answers"] and not _is_told(row["question"])]
    held = _held_out(rows, seed)
    random.Random(seed).shuffle(rows)
    found: list[Question] = []
    taken: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        text, is_held = row["answers"][0]["text"].strip(), row["title"] in held
        kind = AMOUNT if _is_amount(text) else THING
        if taken[kind, is_held] < (HELD_ASKING if is_held else ASKING)[kind]:
            taken[kind, is_held] += 1
            holds = holds_figure(text)
            label = kind if holds == (kind == AMOUNT) else ""
            found.append(Question(plain_question(row["question"]), label, holds, is_held))
    return found


def _is_told(question: str) -> bool:
    return asked_kind(question) == "NUMBER" or first_asked(question) in TOLD


def _is_amount(answer: str) -> bool:
    """Whether a figure leads an answer, or is all of it."""
    one = figures.single(answer)
    return looks_like(answer) is MaskKind.NUMBER or (one is not None and (one.start, one.end) == (0, len(answer)))


def measures(rows: Iterable[dict[str, Any]], seed: int) -> list[Answer]:
    """Questions, each with the kind of figure that its answer holds where it stands; of those held out as many as come first."""
    rows = [row for row in rows if row["answers"]]
    held = _held_out(rows, seed)
    random.Random(seed).shuffle(rows)
    found: list[Answer] = []
    taken: Counter[tuple[str, bool]] = Counter()
    for row in rows:
        text, is_held = row["answers"][0]["text"], row["title"] in held
        start = row["context"].find(text)
        kind = measure_of(row["context"], start, start + len(text)) if start >= 0 else ""
        if kind and taken[kind, is_held] < (MEASURED_NONE if kind == NO_FIGURE else MEASURED):
            taken[kind, is_held] += 1
            found.append(Answer(plain_question(row["question"]), kind, is_held))
    return found


def fit_measures(found: Sequence[Answer], embed: Vectors) -> tuple[LinearText, dict[str, float]]:
    """What tells the kind of figure that a question asks for, and how many of each kind it knows again in titles held out."""
    own, held = [a for a in found if not a.is_held], [a for a in found if a.is_held]
    told = linear_text([a.text for a in own], [a.kind for a in own], BUCKETS, embed([a.text for a in own]))
    texts = [a.text for a in held]
    called = told.probabilities(texts, embed(texts)).argmax(axis=1)
    known = {
        kind: [told.labels[n] == kind for n, a in zip(called, held, strict=True) if a.kind == kind]
        for kind in told.labels
    }
    return told, {f"{kind}_asked_known": round(float(np.mean(right)), 3) for kind, right in known.items() if right}


def _held_out(rows: Iterable[dict[str, Any]], seed: int) -> set[str]:
    titles = sorted({row["title"] for row in rows})
    random.Random(seed).shuffle(titles)
    return set(titles[::HELD])


def fit_asked(found: Sequence[Question], embed: Vectors) -> tuple[LinearText, float, dict[str, float]]:
    """What tells questions that ask for an amount, from which probability it is believed, and how it did on those held out."""
    own = [q for q in found if q.kind and not q.is_held]
    held = [q for q in found if q.is_held]
    asked = linear_text([q.text for q in own], [q.kind for q in own], BUCKETS, embed([q.text for q in own]))
    texts = [q.text for q in held]
    shares = asked.probabilities(texts, embed(texts))[:, asked.labels.index(AMOUNT)]
    holds, are = (np.array([test(q) for q in held]) for test in (lambda q: q.holds, lambda q: q.kind == AMOUNT))
    from_ = math.ceil(1000 * float(np.quantile(shares[~holds], 1 - LOST))) / 1000
    called = shares >= from_
    measured = {
        "thing_asks_amount": round(float(called[~holds].mean()), 3),
        "amount_asks_amount": round(float(called[are].mean()), 3),
    }
    return asked, from_, measured


def least(shares: Sequence[float], num_named: int) -> float:
    """Below it lie `LOST` of the answers of a kind, `num_named` with a name among them: `shares` of the kind have the others."""
    found = np.sort(np.array([*shares, *[1.0] * num_named]))[int(LOST * (len(shares) + num_named))]
    return math.floor(1000 * float(found)) / 1000


def fit(
    found: Sequence[Answer], asking: Sequence[Question], measuring: Sequence[Answer], embed: Vectors
) -> AnswerKinds:
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
    asked, amount, shown = fit_asked(asking, embed)
    told, known = fit_measures(measuring, embed)
    return AnswerKinds(
        words=words, least=low, asked=asked, amount=amount, measures=told, measured={**measured, **shown, **known}
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m palimpsest.workflows.evaluation.fit_answers",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rows = list(read_rows(chosen.train / "squad_train.jsonl.gz"))
    found, asking = answers(rows, COUNT, chosen.seed), questions(rows, chosen.seed)
    measuring = measures(rows, chosen.seed)
    embedder = open_embedder()
    fitted = fit(
        found,
        asking,
        measuring,
        lambda texts: np.vstack([embedder.embed(texts[n : n + BATCH]) for n in range(0, len(texts), BATCH)]),
    )
    chosen.out.write_text(fitted.model_dump_json(indent=1) + "\n", encoding="utf-8")
    print(
        f"least {fitted.least}, amount from {fitted.amount}; of what titles held out ask, and answer without a name, by kind:"
    )
    for name, share in fitted.measured.items():
        print(f"{name} {share}")


if __name__ == "__main__":
    main()
