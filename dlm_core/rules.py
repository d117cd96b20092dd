"""Rules of `denoise`: which places to commit, which to open again, which slots to resize. Each is a function, or makes one."""

from __future__ import annotations

from torch import Tensor

from .canvas import Canvas, State
from .sampler import Guess, Rule


def low_confidence(below: float) -> Rule:
    """Reopen filled places that the model, asked again, gives less than `below`."""

    def rule(guess: Guess, canvas: Canvas, step: int) -> Tensor:
        return (canvas.state == State.FILLED) & (guess.prob < below)

    return rule
