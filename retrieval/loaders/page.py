"""What the worker does when a page is to be seen rather than read: a picture of it. Called by name, like `reading`."""

from __future__ import annotations

import json

from .limits import Limits
from .pdf import page_picture


def read(path: str, limits: Limits, wanted: str | None) -> str:
    """The PNG in base64 of the page and frame that `wanted` names as JSON: [page, [left, top, right, bottom]]."""
    page, box = json.loads(wanted or "")
    return page_picture(path, page, box)
