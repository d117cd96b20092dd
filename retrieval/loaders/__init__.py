"""Files to documents. The door: `load` and `find_files`."""

from .door import document, find_files, load, page_picture
from .language import asked_in
from .limits import Limits
from .reading import printable

__all__ = ["Limits", "asked_in", "document", "find_files", "load", "page_picture", "printable"]
