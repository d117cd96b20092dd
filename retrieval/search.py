"""Ask many searchers many questions at once and fuse what they find."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from .types import Failure, Found, Hit, RetrievalError, Searcher

RANK_OFFSET = 60  # the constant of reciprocal rank fusion (Cormack, Clarke and Büttcher 2009)
MAX_WORKERS = 8


def fuse(rankings: Iterable[Sequence[Hit]], k: int, *, k0: int = RANK_OFFSET) -> list[Hit]:
    """The best `k` passages by the sum of 1 / (k0 + rank) over the rankings, each passage once.

    Equal scores are ordered by passage id; `found_by` joins the names of the rankings that held it, `query` and `rank`
    are those of the ranking in which it stood highest (the first of equals).
    """
    scores: dict[str, float] = {}
    names: dict[str, dict[str, None]] = {}
    hits: dict[str, Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(_once(ranking), start=1):
            key = hit.passage.id
            if key not in hits or rank < hits[key].rank:
                hits[key] = hit.model_copy(update={"rank": rank})
            scores[key] = scores.get(key, 0.0) + 1.0 / (k0 + rank)
            names.setdefault(key, {}).update(dict.fromkeys(hit.found_by))
    best = sorted(scores, key=lambda key: (-scores[key], key))[: max(k, 0)]
    return [hits[key].model_copy(update={"score": scores[key], "found_by": tuple(names[key])}) for key in best]


def _once(ranking: Sequence[Hit]) -> list[Hit]:
    first: dict[str, Hit] = {}
    for hit in ranking:
        first.setdefault(hit.passage.id, hit)
    return list(first.values())


def search_all(searchers: Sequence[Searcher], queries: Sequence[str], k: int) -> Found:
    """Every searcher asked every query for `k` hits, at once; what they found fused, each passage once, best first.

    The order does not depend on which answer came first; each hit says which query found it, and how high. A searcher
    that raises RetrievalError is a Failure beside the results; any other exception is a fault of ours and passes through.
    """
    jobs = [(searcher, query) for query in dict.fromkeys(queries) for searcher in searchers]
    if not jobs:
        return Found()
    with ThreadPoolExecutor(max_workers=min(MAX_WORKERS, len(jobs))) as pool:
        answers = list(pool.map(lambda job: _ask(job[0], job[1], k), jobs))
    rankings = [answer for answer in answers if not isinstance(answer, Failure)]
    failures = dict.fromkeys(answer for answer in answers if isinstance(answer, Failure))
    return Found(hits=tuple(fuse(rankings, sum(map(len, rankings)))), failures=tuple(failures))


def _ask(searcher: Searcher, query: str, k: int) -> list[Hit] | Failure:
    try:
        found = searcher.search(query, k)
    except RetrievalError as exc:
        return Failure(name=searcher.name, message=str(exc))
    return [_signed(hit, searcher.name, query, rank) for rank, hit in enumerate(found, start=1)]


def _signed(hit: Hit, name: str, query: str, rank: int) -> Hit:
    names = tuple(dict.fromkeys((*hit.found_by, name)))
    return hit.model_copy(update={"found_by": names, "query": query, "rank": rank})
