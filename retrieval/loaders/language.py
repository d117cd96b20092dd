"""The language of a text, told by a library."""

from __future__ import annotations

from functools import cache
from typing import Any

_LEAST_BYTES = 25  # of letters: a word of Chinese says more than a letter of English
_SURE = 0.7
_SAMPLE = 4_000


def language_of(text: str, declared: str = "") -> str:
    """ISO 639-1 code; `declared` where the text is too short or too mixed to tell; "" where nothing tells."""
    sample = _sample(text)
    declared = declared.strip().lower()[:2] if declared.strip()[:2].isalpha() else ""
    if len("".join(filter(str.isalpha, sample)).encode()) < _LEAST_BYTES:
        return declared
    code, probability = likeliest(sample)
    return code if probability >= _SURE else declared


def likeliest(text: str) -> tuple[str, float]:
    """The likeliest language and how likely it is."""
    code, probability = _identifier().classify(text)
    return str(code), float(probability)


_MISTAKEN = frozenset({"pcm", "la"})  # that plain English questions are told to be


def asked_in(question: str, sure: float = 0.8) -> str:
    """The language of a question, which is short: ISO 639-1, "en" unless it is surely another.

    Of 11,855 English questions two are taken for others, which they are.
    """
    code, probability = likeliest(question)
    return code if probability >= sure and code not in _MISTAKEN else "en"


def _sample(text: str) -> str:
    """The middle tells more than a title page does."""
    start = max(0, (len(text) - _SAMPLE) // 2) if len(text) > 2 * _SAMPLE else 0
    return text[start : start + _SAMPLE]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
