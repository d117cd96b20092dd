"""The one door to the outside: addresses checked, connections pinned, robots.txt kept, hosts queued, everything capped and cached."""

from .door import Ask, Border, Door, Page, saved
from .hosts import Rate
from .network import Answer, Guard

__all__ = ["Answer", "Ask", "Border", "Door", "Guard", "Page", "Rate", "saved"]
