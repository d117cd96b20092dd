"""A word index on disk: BM25 by tantivy over tokens of our own making."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import regex  # type: ignore[import-untyped]

from .types import RetrievalError

_TOKENS = regex.compile(
    r"(?P<cjk>[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー]+)"
    r"|\d+(?:[.,]\d+)+"
    r"|(?:(?![\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}ー_])\w)+"
)
MAX_TOKEN_CHARACTERS = 64
MAX_QUERY_TOKENS = 200
# What tantivy calls the languages that it has a stemmer for; not for each it has stop words.
NAMES = {
    "ar": "arabic", "da": "danish", "nl": "dutch", "en": "english", "fi": "finnish", "fr": "french", "de": "german",
    "el": "greek", "hu": "hungarian", "it": "italian", "no": "norwegian", "nb": "norwegian", "nn": "norwegian",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "es": "spanish", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
STOP_WORDS = frozenset(
    """a about after all also an and any are as at be because been being between both but by can could did do does for
    from had has have he her his how i if in into is it its may might more most no nor not of on only or other our
    over she should since so some such than that the their them then there these they this those to under up very was
    we were what when where which while who whom whose why will with would you your""".split()
)


def tokens(text: str, language: str = "") -> list[str]:
    """Words casefolded and NFKC-normalised, the endings of the language folded; Chinese, Japanese, Korean as bigrams.

    `language` is ISO 639-1; "" (not told) is taken for English, one without a stemmer keeps its words whole.
    """
    return _stemmed(_words(text), language)


def query_tokens(text: str, languages: Collection[str] = ()) -> list[str]:
    """The tokens of a question to texts in `languages`, each once, stop words left out unless there is nothing else.

    Its own language is the one whose stop words it holds most of; a word is looked for as each of the languages folds it.
    """
    words, asked = _words(text), sorted({"en", *languages} - {""}, key=lambda language: (language != "en", language))
    telling = min((_telling(words, language) for language in asked), key=len) or words
    stems = (stem for word in telling for language in asked for stem in _stemmed([word], language))
    return list(dict.fromkeys(stems))[:MAX_QUERY_TOKENS]


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [piece for match in _TOKENS.finditer(folded) for piece in _pieces(match)]


def _pieces(match: regex.Match[str]) -> list[str]:
    run = match.group()
    if match.group("cjk") and len(run) > 1:
        return [run[index : index + 2] for index in range(len(run) - 1)]
    return [run[:MAX_TOKEN_CHARACTERS]]


@cache
def _stemmer(language: str) -> Any:
    return _analyzer("stemmer", language)


@cache
def _sifter(language: str) -> Any:
    return _analyzer("stopword", language)


def _analyzer(kind: str, language: str) -> Any:
    """tantivy's filter of that kind behind a splitter at blanks; None where it has none for the language."""
    import tantivy

    if language not in NAMES:
        return None
    try:
        chosen = getattr(tantivy.Filter, kind)(NAMES[language])
        return tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).filter(chosen).build()
    except ValueError:
        return None


def _stemmed(words: list[str], language: str) -> list[str]:
    stemmer = _stemmer(language or "en")
    return stemmer.analyze(" ".join(words)) if stemmer else words


def _telling(words: list[str], language: str) -> list[str]:
    if language == "en":
        return [word for word in words if word not in STOP_WORDS]
    sifter = _sifter(language)
    return sifter.analyze(" ".join(words)) if sifter else words


class LexicalIndex:
    """Passages by number. Opens the folder or makes it; a damaged one raises RetrievalError (rebuild it)."""

    def __init__(self, folder: Path):
        import tantivy

        builder = tantivy.SchemaBuilder()
        builder.add_integer_field("number", stored=True, indexed=True, fast=True)
        builder.add_text_field("words", tokenizer_name="whitespace", index_option="freq")
        self._schema = builder.build()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._index = tantivy.Index(self._schema, path=str(folder))
        except (ValueError, OSError) as exc:
            raise RetrievalError(f"The word index {folder} is damaged ({exc}); rebuild it.") from exc

    def update(self, *, add: Iterable[tuple[int, str, str]] = (), remove: Iterable[int] = ()) -> None:
        """Remove then add (number, text, language) passages; all of it is on disk on return, or none after a crash."""
        import tantivy

        try:
            writer = self._index.writer(30_000_000, 1)  # one thread keeps the order of equal scores
            for number in remove:
                writer.delete_documents_by_term("number", number)
            for number, text, language in add:
                writer.add_document(tantivy.Document(number=number, words=" ".join(tokens(text, language))))
            writer.commit()
            writer.wait_merging_threads()
            self._index.reload()
        except (ValueError, OSError) as exc:
            raise RetrievalError(f"The word index cannot be written ({exc}); rebuild it.", retryable=True) from exc

    def search(
        self, query: str, k: int, *, languages: Collection[str] = (), among: Collection[int] | None = None
    ) -> list[tuple[int, float]]:
        """The best `k` (number, BM25 score), best first; ties by number. A query without a word finds nothing.

        `languages` are those of the texts, `among` the numbers to search, if not all.
        """
        import tantivy

        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "words", token, index_option="freq"))
            for token in query_tokens(query, languages)
        ]
        searcher = self._index.searcher()
        # Where only some numbers are asked for, all that match are looked at: their scores are those of the whole.
        limit = k if among is None else int(searcher.num_docs)
        if not terms or min(k, limit) <= 0:
            return []
        chosen = None if among is None else set(among)
        hits = searcher.search(tantivy.Query.boolean_query(terms), limit).hits
        scored = ((searcher.doc(address)["number"][0], float(score)) for score, address in hits)
        kept = sorted(
            (pair for pair in scored if chosen is None or pair[0] in chosen), key=lambda pair: (-pair[1], pair[0])
        )
        return kept[:k]

    def __len__(self) -> int:
        return int(self._index.searcher().num_docs)
