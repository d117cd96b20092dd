"""What was fitted for reports, kept beside the calibration of the model they were fitted with."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from pydantic import ValidationError

from palimpsest.agent.selection import ReportWeights

from .errors import FAILED, ResearchError

FILE = "selection.json"
EMBEDDED = Path(__file__).parents[1] / "dlm_core" / "weights" / "embedded"


@cache
def load(folder: Path = EMBEDDED) -> ReportWeights:
    """The weights that lie in a model's folder. ResearchError when they are missing or damaged."""
    path = folder / FILE
    try:
        return ReportWeights.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as exc:
        raise ResearchError(
            f"{path} is missing or damaged; fetch it again, or fit it with fit_selection", FAILED
        ) from exc
