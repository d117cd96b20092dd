"""The numbers that decide what is believed. Each was fitted with one model, and lives in the calibration file of that model."""

from __future__ import annotations

import math

from palimpsest.retrieval.types import Frozen


class Numbers(Frozen):
    """Weights in log-odds, thresholds in probabilities and shares. The defaults fit no model: they are what stands without a fit.

    A reading counts for what the model says of it, every independent source that reads the same adds as much again, what is more
    likely than not is written, and nothing else is weighed.
    """

    fitted_on: str = ""  # data and command; "" is not fitted
    prior: float = 0.0  # of any answer
    reading: float = 1.0  # for each unit of the model's own log-odds that a span is the answer
    holds: float = 0.0  # gained for each unit of what is asked that its sentence holds, with what heads that
    behind: float = 0.0  # lost for each unit by which its passage holds less of it than the nearest that was read
    suits: float = 0.0  # lost for each unit by which, in log odds, another kind of figure is likelier asked for
    foreign: float = 0.0  # lost when no name of the question is spoken of
    agreement: float = 1.0  # gained for each independent source that reads the same, times its probability
    verdict: float = 0.0  # for each unit of a verdict's log-odds
    verdict_most: float = 0.0  # the most that one verdict may move
    together: float = 0.0  # gained by what is read when rivals lie on one canvas, times its probability
    denial: float = (
        0.0  # what support gains, in log-odds over two wordings, without words of denial, from which they deny; 0 never
    )
    premise: float = (
        0.0  # verdict from which a sentence is taken to contradict what a question takes for granted; 0 never
    )
    granted: float = 0.5  # verdict from which a sentence is taken to say it
    says: float = 0.0  # verdict from which a sentence decides a question to be answered by yes or no; 0 never
    says_near: float = 0.0  # the share of what the nearest sentence holds of the question that one must hold to decide
    says_words: float = 0.5  # the share of the question's words that it must hold, with the title of its source
    premise_words: float = 0.5  # the share of its words that a sentence must hold to be asked
    hops: float = (
        0.0  # for each unit, above NOTHING, of the log-odds of what is read with all hops on one canvas; 0 never asks
    )
    chained: float = (
        0.0  # the share of the words asked that its passage and a linked one must hold, for such an answer; 0 never
    )
    hop_slope: float = 1.0  # turns the belief, in log-odds, in an answer read so into those of being right, as told
    hop_offset: float = 0.0  # added to that
    chain: float = 0.0  # gained, once, by an answer of a source that the passage of the most believed answer names
    margin: float = 0.0  # by which another answer must be believed more before a written one gives way
    established: float = 0.5  # the least probability with which an answer is written
    beside: float = 0.5  # the least probability with which another source's figure is named beside an answer
    doubted: float = 0.0  # an answer with a smaller chance of being right is shown as one that is more likely wrong
    unsure: float = 0.5  # an answer believed less than this sends the search on over bridges
    least: float = 0.0  # the least probability with which a span becomes a rival answer
    listed: float = 0.5  # the least probability with which something is read as an entry of a list
    agreeing: float = 0.5  # the least probability of a reading that counts as agreement
    disputed: float = 0.5  # the least probability with which other words are read in a claim's place
    supported: float = 0.5  # a verdict from which a sentence is taken to say the claim
    aligned: float = 0.5  # the share of a claim's words that a sentence must hold to speak of the same thing
    subject: float = 0.5  # the share of words that two statements about one thing have in common ahead of what differs
    related: float = 0.5  # the least score of a finding
    finding: float = 0.5  # what of that score the answer's words make; the rest is the question's
    alike: float = 0.7  # the share of words from which two sentences say the same


UNCALIBRATED = Numbers()


def log_odds(probability: float) -> float:
    """Log-odds, held within those of 1 % and 99 %: no model of this size is surer than that."""
    clipped = min(max(probability, 0.01), 0.99)
    return math.log(clipped / (1 - clipped))


NOTHING = log_odds(0.0)  # the least that is ever said of an answer


def odds(share: float) -> float:
    """The log-odds of a share, held within those of one in a thousand: what `probability` made of a belief is turned back."""
    inside = min(max(share, 0.001), 0.999)
    return math.log(inside / (1 - inside))


def probability(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))
