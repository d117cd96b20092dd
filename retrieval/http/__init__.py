"""The one door to the outside: nothing else in this house opens a connection.

`network` resolves, checks and pins addresses, `hosts` queues and retries, `robots`, `bodies` and `cache` keep rules, bounds and
answers; `door` puts them together. `check` gives a verdict for each address of a table, without a network.
May import: of this floor `outcomes`; httpx, hishel, protego and stamina here alone.
"""

from .door import Ask, Border, Door, Page, saved
from .hosts import Rate
from .network import Answer, Guard

__all__ = ["Answer", "Ask", "Border", "Door", "Guard", "Page", "Rate", "saved"]
