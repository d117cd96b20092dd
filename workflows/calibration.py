"""Which numbers the agent decides by: those fitted with the model that writes, and none of another's."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from palimpsest.agent.numbers import UNCALIBRATED, Numbers

from .errors import ResearchError

NAME = "agent.json"
EMBEDDED = Path(__file__).parents[1] / "dlm_core" / "weights" / "embedded"


def numbers_of(model: str) -> Numbers:
    """The numbers in a model's folder; a model without such a file runs the uncalibrated path. ResearchError when it is damaged."""
    path = (EMBEDDED if model == "embedded" else Path(model)) / NAME
    if not path.is_file():
        return UNCALIBRATED
    try:
        return Numbers.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise ResearchError(f"{path} is damaged; restore it, or remove it to run without fitted numbers") from error
