"""A word index on disk: BM25 by tantivy over tokens of our own making."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
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
STOP_WORDS = frozenset(
    """a about after all also an and any are as at be because been being between both but by can could did do does for
    from had has have he her his how i if in into is it its may might more most no nor not of on only or other our
    over she should since so some such than that the their them then there these they this those to under up very was
    we were what when where which while who whom whose why will with would you your""".split()
)


def tokens(text: str) -> list[str]:
    """Words casefolded and NFKC-normalised, English endings folded; Chinese, Japanese and Korean as bigrams."""
    return _stemmed(_words(text))


def query_tokens(text: str) -> list[str]:
    """The tokens of a question, each once, stop words left out unless there is nothing else."""
    words = _words(text)
    telling = [word for word in words if word not in STOP_WORDS] or words
    return list(dict.fromkeys(_stemmed(telling)))[:MAX_QUERY_TOKENS]


def _words(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return [piece for match in _TOKENS.finditer(folded) for piece in _pieces(match)]


def _pieces(match: regex.Match[str]) -> list[str]:
    run = match.group()
    if match.group("cjk") and len(run) > 1:
        return [run[index : index + 2] for index in range(len(run) - 1)]
    return [run[:MAX_TOKEN_CHARACTERS]]


@cache
def _stemmer() -> Any:
    import tantivy

    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace())
    return builder.filter(tantivy.Filter.stemmer("english")).build()


def _stemmed(words: list[str]) -> list[str]:
    stems: list[str] = _stemmer().analyze(" ".join(words))
    return stems


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

    def update(self, *, add: Iterable[tuple[int, str]] = (), remove: Iterable[int] = ()) -> None:
        """Remove then add (number, text) passages; all of it is on disk on return, or none of it after a crash."""
        import tantivy

        try:
            writer = self._index.writer(30_000_000, 1)  # one thread keeps the order of equal scores
            for number in remove:
                writer.delete_documents_by_term("number", number)
            for number, text in add:
                writer.add_document(tantivy.Document(number=number, words=" ".join(tokens(text))))
            writer.commit()
            writer.wait_merging_threads()
            self._index.reload()
        except (ValueError, OSError) as exc:
            raise RetrievalError(f"The word index cannot be written ({exc}); rebuild it.", retryable=True) from exc

    def search(self, query: str, k: int) -> list[tuple[int, float]]:
        """The best `k` (number, BM25 score), best first; ties by number. A query without a word finds nothing."""
        import tantivy

        terms = [
            (tantivy.Occur.Should, tantivy.Query.term_query(self._schema, "words", token, index_option="freq"))
            for token in query_tokens(query)
        ]
        if not terms or k <= 0:
            return []
        searcher = self._index.searcher()
        found = searcher.search(tantivy.Query.boolean_query(terms), k).hits
        scored = [(searcher.doc(address)["number"][0], float(score)) for score, address in found]
        return sorted(scored, key=lambda pair: (-pair[1], pair[0]))

    def __len__(self) -> int:
        return int(self._index.searcher().num_docs)
