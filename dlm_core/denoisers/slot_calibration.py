"""What was measured of a model on examples it had not seen, and what its probabilities and defaults are therefore set to."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..kinds import SLOT_LENGTH, MaskKind


@dataclass(frozen=True)
class KindCalibration:
    """For one kind of slot: `temperature` of its distribution; `slope` and `offset` turn the log-odds of a copy into those of an answer
    being there (Platt); `length`: places a slot starts with. Of a CHOICE `offset` is added to the logit of its last answer (nothing,
    irrelevant).
    """

    temperature: float = 1.0
    slope: float = 1.0
    offset: float = 0.0
    length: int = 0

    def spans(self, joint: Tensor) -> Tensor:
        """Log-probabilities [P, L] of spans at this temperature."""
        cooled = joint / self.temperature
        return cooled - cooled.flatten().logsumexp(0)

    def chosen(self, logits: Tensor) -> Tensor:
        """Log-probabilities [..., A] of the answers of a CHOICE, from their logits [..., A]."""
        return (self.moved(logits) / self.temperature).log_softmax(-1)

    def moved(self, logits: Tensor) -> Tensor:
        """The logits [..., A] of a CHOICE with the offset of its last answer."""
        answers = logits.shape[-1]
        return logits + F.one_hot(torch.tensor(answers - 1), answers) * self.offset

    def answered(self, gate: Tensor) -> Tensor:
        """Log-odds that there is an answer to copy, from the gate's."""
        return self.slope * gate + self.offset


TEMPERATURES = tuple(0.5 + 0.05 * n for n in range(51))
LEAST = 1e-4  # a probability nearer to 0 or 1 is taken for it
PLAIN = KindCalibration()  # of a kind that nothing was measured of


@dataclass(frozen=True)
class Calibration:
    """The defaults of a model: `steps` to decode in, the probability from which a place is settled before the last (`commit`), the
    quality below which what stands is doubted (`doubt`), and what is known of each kind of slot. `answers` holds what is known of a
    CHOICE by the first answer that it allows: a verdict is not calibrated as relevance is. `measured` says on what.
    """

    steps: int = 2
    commit: float = 0.5
    doubt: float = 0.5
    kinds: dict[MaskKind, KindCalibration] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, KindCalibration] = field(default_factory=dict)
    several: float = 0.0  # added to the log-odds of an answer where several passages lie on one canvas
    sign: str = "quality"  # what tells right words from wrong ones where they stand: the "quality" head, or the "lift"
    lift: tuple[float, float] = (1.0, 0.0)  # slope and offset that turn a lift into log-odds that the words are right
    right: tuple[float, float, float] = (
        1.0,
        0.0,
        0.0,
    )  # slope and offset from the log-odds of a given answer's words to those that
    # they are right, and what is added where several passages lie on one canvas
    turn: float = 0.0  # by how many log-odds an edit that nobody asked for must turn the verdict on its sentence

    def of(self, kind: MaskKind) -> KindCalibration:
        return self.kinds.get(kind, PLAIN)

    def choice(self, allowed: Sequence[str]) -> KindCalibration:
        """Of a CHOICE with these answers."""
        return self.answers.get(allowed[0], self.of(MaskKind.CHOICE))

    def rightness(self, mass: float, is_among_several: bool) -> float:
        """The probability that a given answer is right, from that of its words, wherever they stand in the evidence."""
        slope, offset, several = self.right
        inside = min(max(mass, LEAST), 1 - LEAST)
        odds = slope * math.log(inside / (1 - inside)) + offset + several * is_among_several
        return 1 / (1 + math.exp(-odds))

    def length(self, kind: MaskKind) -> int:
        return self.of(kind).length or SLOT_LENGTH[kind]

    def save(self, path: Path) -> None:
        stored = {**asdict(self), "kinds": {k.name: asdict(v) for k, v in self.kinds.items()}}
        path.write_text(json.dumps(stored, indent=2) + "\n")

    @staticmethod
    def load(path: Path) -> Calibration:
        """ValueError when the file is not of this form."""
        try:
            stored = json.loads(path.read_text())
            kinds = {MaskKind[name]: KindCalibration(**values) for name, values in stored.pop("kinds").items()}
            answers = {name: KindCalibration(**values) for name, values in stored.pop("answers", {}).items()}
            lift = tuple(stored.pop("lift", (1.0, 0.0)))
            right = tuple(stored.pop("right", (1.0, 0.0, 0.0)))
            return Calibration(**stored, lift=lift, right=right, kinds=kinds, answers=answers)
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError, json.JSONDecodeError) as exc:
            raise ValueError(f"{path.name} is damaged ({exc!r})") from exc


UNMEASURED = Calibration()


def best_temperature(logits: list[Tensor], right: list[list[int]]) -> float:
    """The temperature that gives the right entries ([n] indices, together one answer) of each distribution the least mean loss."""

    def cost(temperature: float) -> float:
        right_logs = [
            torch.log_softmax(row / temperature, 0)[gold].logsumexp(0) for row, gold in zip(logits, right, strict=True)
        ]
        return -float(torch.stack(right_logs).mean())

    return min(TEMPERATURES, key=cost)


def platt(log_odds: Tensor, right: Tensor, iterations: int = 100) -> tuple[float, float]:
    """Slope and offset of a logistic regression of `right` [N] on `log_odds` [N], drawn towards 1 and 0."""
    start = torch.tensor([1.0, 0.0], dtype=torch.float64)
    weights = start.clone().requires_grad_()
    inputs, outcomes = log_odds.double(), right.double()
    optim = torch.optim.LBFGS(
        [weights], max_iter=iterations, line_search_fn="strong_wolfe"
    )  # whole Newton steps diverge

    def cost() -> Tensor:
        optim.zero_grad()
        guessed = weights[0] * inputs + weights[1]
        loss = (
            F.binary_cross_entropy_with_logits(guessed, outcomes, reduction="sum")
            + (weights - start).square().sum() / 2
        )
        loss.backward()
        return loss

    with torch.enable_grad(), torch.inference_mode(False):
        optim.step(cost)
    slope, offset = weights.detach().tolist()
    return slope, offset
