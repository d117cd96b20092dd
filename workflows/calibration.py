"""Which numbers decide: of belief those fitted with the model that writes, none of another's; of reports, tables and kinds of answers
those shipped.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from palimpsest.agent.answer_kinds import AnswerKinds
from palimpsest.agent.lookups import RecordWeights
from palimpsest.agent.numbers import UNCALIBRATED, Numbers
from palimpsest.agent.weighing import ReportWeights
from palimpsest.retrieval.types import Frozen

from .errors import FAILED, ResearchError

EMBEDDED = Path(__file__).parents[1] / "dlm_core" / "weights" / "embedded"
NAME, REPORTS, RECORDS, ANSWERS = "agent.json", "selection.json", "records.json", "answers.json"
Fitted = TypeVar("Fitted", bound=Frozen)


def numbers_of(model: str) -> Numbers:
    """The numbers in a model's folder; a model without such a file runs the uncalibrated path. ResearchError when it is damaged."""
    path = (EMBEDDED if model == "embedded" else Path(model)) / NAME
    if not path.is_file():
        return UNCALIBRATED
    return _read(Numbers, path, "restore it, or remove it to run without fitted numbers")


@cache
def report_weights(folder: Path = EMBEDDED) -> ReportWeights:
    """What was fitted for reports. ResearchError when it is missing or damaged."""
    return _read(ReportWeights, folder / REPORTS, "fetch it again, or fit it with fit_selection")


@cache
def record_weights(folder: Path = EMBEDDED) -> RecordWeights:
    """What was fitted for questions over tables. ResearchError when it is missing or damaged."""
    return _read(RecordWeights, folder / RECORDS, "fetch it again, or fit it with fit_records")


@cache
def answer_kinds(folder: Path = EMBEDDED) -> AnswerKinds:
    """What was fitted to tell the kinds of answers. ResearchError when it is missing or damaged."""
    return _read(AnswerKinds, folder / ANSWERS, "fetch it again, or fit it with fit_answers")


def _read(kind: type[Fitted], path: Path, mend: str) -> Fitted:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ResearchError(f"{path} is missing or damaged; {mend}", FAILED) from error
