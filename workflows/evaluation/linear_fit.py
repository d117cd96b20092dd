"""Small linear models fitted in numpy: weights of a few dozen features, and of hashed words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palimpsest.agent.wording import LinearText, buckets, scale, softmax

Matrix = NDArray[np.float64]

NEWTON_STEPS = 25
ASCENT_STEPS = 250


def logistic(table: Matrix, right: Matrix, importance: Matrix, penalty: float) -> tuple[Matrix, float]:
    """Weights [d] and offset of a logistic regression with a quadratic penalty on the weights, by Newton's method.

    `table` [n, d] should be standardised; `right` [n] is 0 or 1, `importance` [n] weighs the rows.
    """
    padded = np.hstack([table, np.ones((len(table), 1))])
    ridge = np.diag([penalty] * table.shape[1] + [1e-6])
    found = np.zeros(padded.shape[1])
    for _ in range(NEWTON_STEPS):
        guess = 1.0 / (1.0 + np.exp(-np.clip(padded @ found, -30, 30)))
        slope = padded.T @ (importance * (guess - right)) + ridge @ found
        bend = (padded * (importance * guess * (1 - guess))[:, None]).T @ padded + ridge
        step = np.linalg.solve(bend, slope)
        found = found - step
        if float(np.abs(step).max()) < 1e-6:
            break
    return found[:-1], float(found[-1])


def linear_text(
    texts: Sequence[str],
    labels: Sequence[str],
    num_buckets: int,
    vectors: NDArray[np.float32] | None = None,
    penalty: float = 1e-5,
) -> LinearText:
    """Softmax regression over hashed words and, where given, `vectors` [n, d] of length 1; every label weighs the same.

    By accelerated gradient descent.
    """
    names = tuple(sorted(set(labels)))
    rows = _hashed(texts, num_buckets) if vectors is None else np.hstack([vectors, _hashed(texts, num_buckets)])
    wanted = np.eye(len(names), dtype=np.float32)[[names.index(label) for label in labels]]
    importance = (wanted / wanted.sum(axis=0)).sum(axis=1, keepdims=True) / len(names)  # sums to 1
    weights = np.zeros((rows.shape[1], len(names)), dtype=np.float32)
    rate = (
        1.0 if vectors is None else 2 / 3
    )  # rows have length sqrt(2), or sqrt(3): half its square bounds the curvature
    ahead = weights
    for number in range(ASCENT_STEPS):
        slope = rows.T @ (importance * (softmax(rows @ ahead) - wanted)) + penalty * ahead
        moved = ahead - rate * slope
        ahead = moved + number / (number + 3) * (moved - weights)
        weights = moved
    table = np.round(100 * weights[:-1].T).astype(int)
    width = rows.shape[1] - num_buckets - 1
    return LinearText(
        labels=names, offsets=tuple(map(float, np.round(weights[-1], 4))),
        weights=tuple(map(tuple, table[:, width:].tolist())), meaning=tuple(map(tuple, table[:, :width].tolist())) if width else (),
    )  # fmt: skip


def _hashed(texts: Sequence[str], num_buckets: int) -> NDArray[np.float32]:
    """[n, buckets + 1]: the buckets that a text falls in, scaled to length 1, and a one for the offset."""
    table = np.zeros((len(texts), num_buckets + 1), dtype=np.float32)
    for line, text in zip(table, texts, strict=True):
        row = buckets(text, num_buckets)
        line[row] = scale(row)
        line[-1] = 1.0
    return table
