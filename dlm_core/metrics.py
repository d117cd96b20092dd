"""Scores of the field: exact match and F1 of answers, calibration, ranking, and how well a text was corrected."""

from __future__ import annotations

import re
import statistics
import string
from collections import Counter
from collections.abc import Iterable, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str) -> str:
    """SQuAD's normalisation: lower case, no punctuation, no articles, single spaces."""
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", kept).split())


def exact(guess: str, golds: Iterable[str]) -> float:
    return float(any(normalise(guess) == normalise(g) for g in golds))


def f1(guess: str, golds: Iterable[str]) -> float:
    """The best token F1 against any gold answer; against no words at all, 1 for silence and 0 for words."""

    def one(gold: str) -> float:
        ours, theirs = normalise(guess).split(), normalise(gold).split()
        if not ours or not theirs:
            return float(ours == theirs)
        same = sum((Counter(ours) & Counter(theirs)).values())
        return 2 * same / (len(ours) + len(theirs))

    return max(map(one, golds))


def percent(values: Iterable[float]) -> float:
    """The mean in percent."""
    return 100 * statistics.mean(map(float, values))


def calibration(probabilities: Sequence[float], right: Sequence[float], bins: int = 15) -> dict[str, float]:
    """Expected calibration error over equal-width bins, and AUROC of the probability as a sign of being right."""
    error = 0.0
    for b in range(bins):
        inside = [
            i for i, p in enumerate(probabilities) if b / bins <= p < (b + 1) / bins or (b == bins - 1 and p == 1)
        ]
        if inside:
            gap = sum(probabilities[i] for i in inside) - sum(right[i] for i in inside)
            error += abs(gap) / len(right)
    return {"ece": error, "auroc": auroc(probabilities, right)}


def risk(probabilities: Sequence[float], right: Sequence[float], coverage: float) -> float:
    """In percent: how many are wrong of the surest ones, `coverage` of all."""
    surest = sorted(zip(probabilities, right, strict=True), key=lambda pair: -pair[0])
    kept = surest[: max(round(coverage * len(surest)), 1)]
    return percent(1 - y for _, y in kept)


def sure_from(probabilities: Sequence[float], right: Sequence[float], most_wrong: float = 10.0) -> tuple[float, float]:
    """The least probability from which at most `most_wrong` per cent are wrong, and the share, in per cent, that is said with as much;
    1 and 0 where even the surest are wrong more often.
    """
    surest = sorted(zip(probabilities, right, strict=True), key=lambda pair: -pair[0])
    found, wrong = (1.0, 0.0), 0.0
    for n, (belief, is_right) in enumerate(surest, 1):
        wrong += 1 - is_right
        if 100 * wrong <= most_wrong * n:
            found = belief, 100 * n / len(surest)
    return found


def auroc(scores: Sequence[float], right: Sequence[float]) -> float:
    """The chance that a right one scores above a wrong one (ties count half), by ranks."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    ranks = [0.0] * len(scores)
    at = 0
    while at < len(order):
        end = at + 1  # a score that is no number equals not even itself
        while end < len(order) and scores[order[end]] == scores[order[at]]:
            end += 1
        for i in order[at:end]:
            ranks[i] = (at + end + 1) / 2
        at = end
    good = [r for r, y in zip(ranks, right, strict=True) if y]
    bad = len(ranks) - len(good)
    return (sum(good) - len(good) * (len(good) + 1) / 2) / (len(good) * bad) if good and bad else float("nan")


def sari(source: str, guess: str, gold: str) -> float:
    """SARI (Xu et al., 2016, TACL) of one correction, in percent: F1 of n-grams kept and added, precision of those deleted, n to 4.

    Where there is nothing to keep, add or delete and nothing is, that part is perfect.
    """
    parts = [_sari_of(*(_grams(text, n) for text in (source, guess, gold))) for n in range(1, 5)]
    return 100 * sum(map(sum, parts)) / 12


Gram = tuple[str, ...]


def _grams(text: str, n: int) -> Counter[Gram]:
    words = text.split()
    return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))


def _sari_of(source: Counter[Gram], guess: Counter[Gram], gold: Counter[Gram]) -> tuple[float, float, float]:
    kept, right = source & guess, source & guess & gold
    keep = _f1(_share(right, kept), _share(right, source & gold))
    deleted = source - guess
    added, wanted = set(guess) - set(source), set(gold) - set(source)
    hit = added & set(gold)
    add = _f1(len(hit) / len(added) if added else 1.0, len(hit) / len(wanted) if wanted else 1.0)
    return keep, _share(deleted - gold, deleted), add


def _share(part: Counter[Gram], whole: Counter[Gram]) -> float:
    """The mean over n-grams of how much of their count is in the part; 1 for no n-grams."""
    return sum(part[g] / c for g, c in whole.items()) / len(whole) if whole else 1.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def difference(wrong: str, right: str) -> tuple[str, str, str, str]:
    """The common head, what differs in `wrong`, the common tail, what differs in `right`; cut at words."""
    a, b = wrong.split(" "), right.split(" ")
    head = 0
    while head < min(len(a), len(b)) - 1 and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head - 1 and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    ends = len(a) - tail, len(b) - tail
    before = " ".join(a[:head]) + (" " if head else "")
    after = (" " if tail else "") + " ".join(a[ends[0] :])
    return before, " ".join(a[head : ends[0]]), after, " ".join(b[head : ends[1]])
