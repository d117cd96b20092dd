"""A person's question as the words of a search: what stands in quotation marks or in capitals stays together, function words go."""

from __future__ import annotations

from typing import NamedTuple

from ..lexical import STOP_WORDS

MARKS = {'"': '"', "“": "”", "„": "“", "«": "»"}
MAX_WORDS = 12


class Terms(NamedTuple):
    """`phrases` belong together, `words` stand alone; neither holds an operator of any service's query language."""

    phrases: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join((*self.phrases, *self.words))


def terms(query: str) -> Terms:
    """The terms of a query, in its order, each once."""
    quoted, rest = _quoted(query)
    names, words = _names(rest)
    telling = [word for word in words if word.casefold() not in STOP_WORDS] or words
    phrases = tuple(dict.fromkeys(phrase for phrase in (*quoted, *names) if phrase))
    return Terms(phrases, tuple(dict.fromkeys(telling))[:MAX_WORDS])


def _quoted(query: str) -> tuple[list[str], str]:
    phrases, rest, position = [], [], 0
    while position < len(query):
        close = MARKS.get(query[position])
        end = query.find(close, position + 1) if close else -1
        if end > 0:
            phrases.append(" ".join(filter(None, map(_bare, query[position + 1 : end].split()))))
            position = end + 1
            rest.append(" ")
        else:
            rest.append(query[position])
            position += 1
    return phrases, "".join(rest)


def _names(text: str) -> tuple[list[str], list[str]]:
    """Runs of two or more capitalised words (the first word of a question begins none by itself), and the other words."""
    names, words, run = [], [], list[str]()
    for index, raw in enumerate([*text.split(), ""]):
        word = _bare(raw)
        is_name = bool(word) and word[0].isupper() and not (index == 0 and word.casefold() in STOP_WORDS)
        if is_name:
            run.append(word)
        if not is_name or raw[-1] in ",;:?!":
            names += [" ".join(run)] if len(run) > 1 else []
            words += run if len(run) == 1 else []
            run = []
        if word and not is_name:
            words.append(word)
    return names, words


def _bare(word: str) -> str:
    """A word without the punctuation around it, and without what query languages read as operators."""
    return "".join(letter for letter in word if letter.isalnum() or letter in "-'’.+#/").strip("-'’./#")
