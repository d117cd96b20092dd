"""Files to documents. The door: `load` and `find_files`."""

from .door import document, find_files, load, page_picture
from .limits import Limits
from .reading import printable

__all__ = ["Limits", "document", "find_files", "load", "page_picture", "printable"]
