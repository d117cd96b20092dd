"""Three services and their hosts on a loopback internet, telling of the same few made-up works; each can be made to lie."""

from __future__ import annotations

import json
from typing import Any

from tests.internet import Handler, Reply, Request, paths

QUESTION = "How many masks does a denoiser fill per second?"
TEXT = (
    "<html><head><title>{title}</title></head><body><article><h1>{title}</h1><p>"
    + "</p><p>".join(f"We fill {{n}} masks per second with a denoiser of kind {n}, on one machine." for n in range(60))
    + "</p></article></body></html>"
)


def page(title: str, n: int) -> Reply:
    return Reply(TEXT.replace("{title}", title).replace("{n}", str(n)).encode(), media_type="text/html; charset=utf-8")


def json_reply(value: Any, **how: Any) -> Reply:
    return Reply(json.dumps(value).encode(), **how)


def openalex_item(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"https://openalex.org/W{number}",
        "display_name": f"Masks filled in parallel, part {number}",
        "doi": f"https://doi.org/10.1000/masks.{number}",
        "authorships": [{"author": {"display_name": f"Author Number{number}"}}],
        "publication_date": f"202{number}-01-01",
        "abstract_inverted_index": {
            word: [place] for place, word in enumerate(f"Abstract: fill {number} masks".split())
        },
        "best_oa_location": {"is_oa": True, "landing_page_url": f"https://open.example/{number}", "license": "cc-by"},
        **more,
    }


def openalex(*items: dict[str, Any]) -> Handler:
    return lambda request: json_reply({"meta": {"count": len(items)}, "results": list(items)})


def wikipedia(request: Request) -> Reply:
    if request.query.get("list") == "search":
        return json_reply({"query": {"search": [{"title": "Denoiser", "pageid": 1, "snippet": "fills masks"}]}})
    text = "<p>A denoiser fills masks. The first denoiser filled 12 masks per second.</p><h2>Use</h2><p>It writes.</p>"
    return json_reply({"parse": {"title": "Denoiser", "pageid": 1, "revid": 42, "text": text, "properties": {}}})


def open_copies(*numbers: int) -> Handler:
    return paths({f"/{n}": page(f"Masks filled in parallel, part {n}", 100 + n) for n in numbers})


def lying(how: str) -> Handler:
    """One way in which a service fails, by name."""
    ways: dict[str, Reply] = {
        "slow": Reply(
            raw=(b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n", *[b" "] * 600),
            pause=0.05,
        ),
        "cut": Reply(raw=(b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{",)),
        "captcha": Reply(b"<html><title>Just a moment...</title>", media_type="text/html"),
        "changed": json_reply({"meta": {"total": 3}, "hits": []}),
        "limited": Reply(status=429, headers=(("Retry-After", "600"),)),
        "down": Reply(status=500),
        "loop": Reply(status=302, headers=(("Location", "/works"),)),
        "inside": Reply(status=302, headers=(("Location", "http://169.254.169.254/latest"),)),
        "key": Reply(status=401),
        "bomb": Reply(
            raw=(b"HTTP/1.1 200 x\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n",)
        ),
    }
    return lambda request: ways[how]


LIES = {
    "slow": ("failed", "timeout"),
    "cut": ("failed", "cut"),
    "captcha": ("failed", "type"),
    "changed": ("failed", "changed"),
    "limited": ("limited", "rate"),
    "down": ("failed", "server"),
    "loop": ("refused", "address"),
    "inside": ("refused", "address"),
    "key": ("refused", "key"),
    "bomb": ("failed", "large"),
}
