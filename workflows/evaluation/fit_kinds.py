"""Fit what tells the kinds of questions apart, by their wording and meaning, on questions of people and on framed ones.

    python -m palimpsest.workflows.evaluation.fit_kinds --train FOLDER --weights selection.json

puts `kinds` into the file and leaves the rest of it as it is.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from palimpsest.agent.asking import plain_question
from palimpsest.agent.sentences import Vectors
from palimpsest.agent.weighing import ReportWeights
from palimpsest.agent.wording import LinearText
from palimpsest.dlm_core.training.examples import read_rows

from ..corpus import open_embedder
from .linear_fit import linear_text

BUCKETS = 2048
_CATEGORIES = {
    "DEBATE": "debate",
    "EVIDENCE-BASED": "survey",
    "INSTRUCTION": "how",
    "REASON": "reason",
    "COMPARISON": "compare",
}
NUM_OF_A_KIND, NUM_HOPS = 2_000, 1_200
_MEDICAL = {"information": "survey", "outlook": "survey", "treatment": "how", "causes": "reason"}
NUM_MEDICAL = 300  # of each: thousands of them have one wording


NUM_FRAMED = 80  # of each frame in FRAMES
FRAMES = {  # what the sets hold too few of, put around names of pages and of illnesses
    "compare": (
        "what is the difference between {a} and {b}", "how do {a} and {b} compare", "how do {a}, {b} and {c} compare in use",
        "compare {a}, {b} and {c}", "compare {a} and {b}: what does each offer and at what cost", "{a} versus {b}",
        "{a} or {b}: which is better and why", "how does {a} differ from {b}", "which works better, {a} or {b}",
        "what sets {a} apart from {b}", "how do {a} and {b} differ as ways to reach {c}", "{a} vs {b}: how do they compare",
    ),
    "survey": (
        "what is known about {a}", "what is the role of {a} in {b}", "what does research say about {a}",
        "what are the trade-offs between {a} and {b} in {c}", "how has {a} changed over time", "describe {a} and its uses",
        "what is the current state of {a}", "what are the benefits and shortcomings of {a}", "what is the function of {a}",
        "give an overview of {a}", "what are the main approaches to {a}, and how well do they work", "how do {a} cope with {b}",
        "what was the role of {a} in {b}", "what effects does {a} have on {b}", "how did {a} develop, and what is missing",
        "what did {a} mean for {b}", "what has {a} meant for {b}", "what does the closing of {a} mean for people in {b}",
        "what did the new {a} mean for {b}", "what became of {a} after {b}", "what became of the people of {a}",
        "what came out of {a}", "what did the end of {a} bring for {b}", "what did {a} bring to {b}",
        "what has {a} brought to people in {b}", "what did the study of {a} show", "what was the impact of the new {a} on {b}",
        "what consequences did {a} have for {b}", "what difference has {a} made to {b}", "what happened to {a} during {b}",
        "what are the lessons of {a} for {b}", "what did people learn from {a}", "what are the effects of {a}",
        "what do people think of {a}", "what experiences have people had with {a}", "what problems were found with {a}",
        "which complaints are made about {a}", "which risks does {a} have for {b}", "which arguments did opponents of {a} put forward",
        "which measures were taken against {a}, and for what reasons", "which kinds of {a} suffered most from {b}, and why",
    ),
    "reason": (
        "what are the reasons for {a}", "what lies behind {a}", "what was behind {a}", "what led to {a}", "what explains {a}",
        "for what reasons was {a} given up", "what made {a} so successful", "what keeps {a} from {b}",
    ),
    "fact": (
        "what does the name {a} mean", "what is {a} called in {b}", "what did {a} call {b}", "which person did {a} bring to {b}",
        "what was found in {a} first", "which of {a} and {b} came first", "who was behind {a}", "what did {a} become in {b}",
        "which law replaced {a}", "which company bought {a}", "which town is {a} in", "which singer lives near {a}",
        "what does {a} stand for",
    ),
    "debate": (
        "what are the arguments for and against {a}", "should {a} be banned", "is {a} worth its cost",
        "what speaks for and against {a}", "does {a} help against {b}: what is the evidence on each side", "is {a} justified",
        "how effective is {a} for {b}, and where do studies conflict", "is {a} really better than {b}", "does {a} improve {b}",
    ),
}  # fmt: skip


def kind_rows(train: Path) -> list[tuple[str, str]]:
    """Questions of people and their kinds, and framed ones, at most NUM_OF_A_KIND of each large set.

    What a set says of no kind is left out.
    """
    labelled = read_rows(train / "question_types.jsonl.gz")
    rows = [(row["question"], _CATEGORIES[row["category"]]) for row in labelled if row["category"] in _CATEGORIES]
    rows += _some([(row["question"], "polar") for row in read_rows(train / "boolean_qa.jsonl.gz")])
    rows += _some([(row["question"], "fact") for row in read_rows(train / "squad_train.jsonl.gz") if _is_fact(row)])
    rows += _some([(row["question"], "fact") for row in read_rows(train / "qed_train.jsonl.gz") if _is_short(row)])
    rows += _some([(r["question"], "fact") for r in read_rows(train / "multihop_qa.jsonl.gz") if _is_hop(r)], NUM_HOPS)
    medical = random.Random(0).sample(read_rows(train / "medquad.jsonl.gz"), 15_000)
    for name, kind in _MEDICAL.items():
        rows += [(row["question"], kind) for row in medical if row["qtype"] == name][:NUM_MEDICAL]
    return [(plain_question(question), kind) for question, kind in (*rows, *framed(names_in(train)))]


def names_in(train: Path) -> list[str]:
    """Of pages and of illnesses, to be put into frames."""
    medical = random.Random(0).sample(read_rows(train / "medquad.jsonl.gz"), 15_000)
    pages = read_rows(train / "wikipedia_pages.jsonl.xz", 2_000)
    return [*(row["title"] for row in pages), *(row["focus"] for row in medical[:500])]


def _some(rows: list[tuple[str, str]], most: int = NUM_OF_A_KIND) -> list[tuple[str, str]]:
    return random.Random(0).sample(rows, min(most, len(rows)))


def _is_short(row: dict[str, Any]) -> bool:
    """A search query with an answer of a few words, that does not ask why or how."""
    return len(str(row["answers"][0]).split()) <= 4 and not _asks_why(row)


def _is_hop(row: dict[str, Any]) -> bool:
    """A question of several steps with an answer of a few words; yes and no are another kind."""
    return row["answer"].lower() not in ("yes", "no") and len(row["answer"].split()) <= 5


def _is_fact(row: dict[str, Any]) -> bool:
    """Whether the answer is a short name or figure: "what is the role of" asks for more, whatever words were marked."""
    answer = row["answers"][0]["text"]
    return len(answer.split()) <= 4 and (answer[0].isupper() or answer[0].isdigit()) and not _asks_why(row)


def framed(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    rng = random.Random(0)
    for kind, frames in FRAMES.items():
        for frame in frames:
            for _ in range(NUM_FRAMED):
                a, b, c = rng.sample(names, 3)
                yield frame.format(a=a, b=b, c=c), kind


def _asks_why(row: dict[str, Any]) -> bool:
    return bool(row["question"].lower().startswith(("why", "how do", "how did", "how can", "how is")))


def known_again(rows: Sequence[tuple[str, str]], vectors: Vectors) -> dict[str, float]:
    """The share of each kind that is known again among the last fifth of the shuffled rows, by a model of the others."""
    mixed = random.Random(1).sample(range(len(rows)), len(rows))
    cut = len(mixed) * 4 // 5
    model = linear_kinds([rows[n] for n in mixed[:cut]], vectors[mixed[:cut]])
    guessed = model.probabilities([rows[n][0] for n in mixed[cut:]], vectors[mixed[cut:]]).argmax(axis=1)
    right: dict[str, list[bool]] = {}
    for n, guess in zip(mixed[cut:], guessed, strict=True):
        right.setdefault(rows[n][1], []).append(model.labels[guess] == rows[n][1])
    return {f"kind_{kind}": round(sum(found) / len(found), 4) for kind, found in sorted(right.items())}


def linear_kinds(rows: Sequence[tuple[str, str]], vectors: Vectors) -> LinearText:
    return linear_text([q for q, _ in rows], [k for _, k in rows], BUCKETS, vectors)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--train", "--weights"):
        parser.add_argument(name, type=Path, required=True)
    asked = parser.parse_args(arguments)
    held, rows = ReportWeights.model_validate_json(asked.weights.read_text(encoding="utf-8")), kind_rows(asked.train)
    vectors = open_embedder().embed([question for question, _ in rows])
    measured = known_again(rows, vectors)
    changed = {"kinds": linear_kinds(rows, vectors), "measured": {**held.measured, **measured}}
    asked.weights.write_text(held.model_copy(update=changed).model_dump_json() + "\n", encoding="utf-8")
    print(measured)


if __name__ == "__main__":
    main()
