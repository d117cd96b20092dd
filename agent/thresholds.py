"""What the choice of sentences, forms and headings is decided by and no fit gave: each number with where it comes from.

They serve every model, for they belong to the embedder, the wording classifiers and plain shares of words. The file lies beside the
weights that were fitted; what belongs to one model's confidence is in `numbers`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from palimpsest.retrieval.types import Frozen

FILE = Path(__file__).parents[1] / "dlm_core" / "weights" / "embedded" / "thresholds.json"


class Thresholds(Frozen):
    """Probabilities, cosines and shares lie in 0 to 1. `origins` holds for each number who set it, by what and why."""

    # Questions: probabilities that one does not ask for a fact, as the classifier of wording gives them
    maybe_open: float = Field(ge=0, le=1)  # below it a question is asked for one answer
    surely_open: float = Field(
        ge=0, le=1
    )  # from it on only for sections; between the two for both, and what is sure stays
    slot_fact: float = Field(
        ge=0, le=1
    )  # from which a model's slot for kinds decides that what the wording leaves unsure asks for a fact
    sure_kind: float = Field(ge=0, le=1)  # from which a kind is believed
    tentative: float = Field(ge=0, le=1)  # from which a fact is written beside sections

    # Sentences chosen for a report
    meant: float = Field(ge=0, le=1)  # probability from which a sentence surely tells what was meant to be done, or how
    meant_cost: float = Field(ge=0)  # log-odds that it loses as a sentence of a report
    best: int = Field(ge=1)  # sentences whose mean probability the others are held against when taking stops
    least_likely: float = Field(
        ge=0, le=1
    )  # probability below which a sentence is left out, however unlikely the best are
    least_share: float = Field(ge=0, le=1)  # of the mean of the best from which it is left in all the same
    fair: float = Field(ge=0, le=1)  # mean probability of the best below which no share of it counts
    least_chosen: int = Field(ge=0)  # sentences taken however unlikely they are
    alike: float = Field(
        ge=0, le=1
    )  # cosine from which sentences with the same names, figures and words of relation say the same
    same_point: float = Field(
        ge=0, le=1
    )  # cosine from which two statements, each a source of its own, make one point in other words
    same_words: float = Field(
        ge=0, le=1
    )  # the share of all words of two sentences that both have, from which they say the same
    brief: int = Field(ge=1)  # characters that a statement ahead of the sections may have
    short_share: float = Field(
        ge=0, le=1
    )  # of the probability of a report's best sentence, from which a statement stands there
    neighbour_power: float = Field(gt=0)  # how steeply a neighbour counts by its nearness
    neighbour_prior: float = Field(gt=0)  # how slowly neighbours make sure
    agreeing: int = Field(ge=1)  # the same, of those that are likely themselves

    # Headings of sections
    least_whole: float = Field(ge=0, le=1)  # probability that a phrase is whole from which it may head a section
    whole: float = Field(ge=0)  # what that probability is worth beside a cosine

    # Forms: sides of a balance, cells of a table, studies that report nothing
    sided: float = Field(ge=0, le=1)  # probability from which a sentence is taken to find an effect, or to find none
    stated: float = Field(ge=0, le=1)  # probability from which a sentence is taken to state a finding
    study: float = Field(ge=0, le=1)  # probability from which a text is taken to be of a study
    planned: float = Field(
        ge=0, le=1
    )  # probability from which what was read of a source tells of a study that is planned
    least_read: int = Field(ge=1)  # sentences of a source that must be read before it is called so
    near_plan: float = Field(ge=0, le=1)  # cosine from which a planned study is one of what is asked
    near_part: float = Field(ge=0, le=1)  # cosine from which something quoted speaks of a part of the question
    topic: float = Field(ge=0, le=1)  # how far a question moves, in cosine, without words that are what it is about
    apart: float = Field(
        ge=0, le=1
    )  # how much nearer, in cosine, what is quoted lies to a question without what it leaves out
    plain: float = Field(
        ge=0, le=1
    )  # below which a question is the same without a word: that tells little of what changed
    near_cell: float = Field(ge=0, le=1)  # mean of two cosines from which a sentence fills a cell of a table
    shared_cell: float = Field(ge=0, le=1)  # how much nearer a sentence may be to another attribute of the same thing

    # Headings
    under_title: float = Field(
        ge=0
    )  # how much what heads a quotation in its source counts in what it is like, beside its words
    most_of_topic: float = Field(ge=0, le=1)  # of what is quoted that may name a topic that has a section of its own
    elsewhere: float = Field(ge=0)  # how much nearness to another section takes from a heading's nearness to its own
    covering: float = Field(
        ge=0
    )  # what it is worth that all texts of a section, and none of another, hold a heading's words

    # Figures and names
    close: float = Field(ge=0)  # by what share two figures in different units may differ and say the same
    mostly: float = Field(
        ge=0, le=1
    )  # the share of a column's cells that are figures, from which it is a column of figures
    named: float = Field(ge=0, le=1)  # the share of a name's words up to which a passage does not speak of it

    # Prose: how many letters of English a token has, and how long it may be what is written, in letters of what the source has there
    letters: float = Field(gt=0)
    run_on: float = Field(gt=0)
    run_on_slack: int = Field(ge=0)

    origins: dict[str, str]

    @model_validator(mode="after")
    def _say_where_from(self) -> Self:
        unsaid = set(type(self).model_fields) - {"origins"} ^ set(self.origins)
        if unsaid:
            raise ValueError(
                f"where these come from is not said, or they are no thresholds: {', '.join(sorted(unsaid))}"
            )
        return self


SHIPPED = Thresholds.model_validate_json(FILE.read_bytes())
