"""Fit what tells that a question asks for more than documents hold: what has not happened yet, or a judgement of taste."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from palimpsest.agent.asking import plain_question
from palimpsest.agent.sentences import Vectors
from palimpsest.agent.weighing import DOCUMENTS, FUTURE, OPINION
from palimpsest.agent.wording import LinearText

from .linear_fit import linear_text

NUM_FRAMED, BUCKETS = 600, 1024
FRAMES = {  # put around names of pages and of illnesses; questions of people and of the other kinds are the contrast
    FUTURE: (
        "will {a} ever replace {b}", "what will {a} look like in 30 years", "what will {a} cost next year", "when will {a} be solved",
        "who will win {a} next year", "how many {a} will there be in 2050", "will {a} still exist in a hundred years",
        "is {a} going to disappear", "what is going to happen to {a} after {b}", "how will {a} change in the coming decades",
        "will {a} be better than {b} one day", "what will the price of {a} be tomorrow", "will there be a {a} in 2040",
        "which {a} will be the most popular in ten years", "where will {a} be held in 2044", "how will {a} end",
        "who is going to lead {a} next",
    ),
    OPINION: (
        "what is your favourite {a}", "do you like {a}", "do you think {a} is good", "which is nicer, {a} or {b}",
        "is {a} more beautiful than {b}", "what is the most beautiful {a}", "who is the greatest {a} of all time", "is {a} boring",
        "what should i do about {a}", "should i choose {a} or {b}", "should i learn {a}", "would you recommend {a}",
        "is {a} overrated", "what do you think of {a}", "which {a} would you prefer", "is {a} more fun than {b}",
        "what is the best {a} ever made", "am i right about {a}", "is it rude to talk about {a}", "why is {a} so annoying",
        "what is the coolest thing about {a}", "does {a} taste better than {b}",
    ),
}  # fmt: skip


def framed(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    rng = random.Random(0)
    for label, frames in FRAMES.items():
        for _ in range(NUM_FRAMED):
            one, other = rng.sample(names, 2)
            yield plain_question(rng.choice(frames).format(a=one, b=other)), label


def limits(
    questions: Sequence[str], vectors: Vectors, names: Sequence[str], embed: Callable[[Sequence[str]], Vectors]
) -> LinearText:
    """`questions`, with their `vectors` [n, d], are those that documents answer; `names` are put into the frames."""
    rows = list(framed(names))
    texts = [*questions, *(text for text, _ in rows)]
    labels = [*[DOCUMENTS] * len(questions), *(label for _, label in rows)]
    return linear_text(texts, labels, BUCKETS, np.vstack([vectors, embed([text for text, _ in rows])]))
