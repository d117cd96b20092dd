"""Files to documents: each family of formats in a file of its own, read in a process that can be ended.

`door` knows which reader a file needs (`load`, `find_files`), `worker` is that process and `limits` its bounds; `encoding`, `language`,
`dates`, `tables` and `structure` are what several readers share. A file that cannot be read is named with the reason.
May import: of this floor its types; each library through the one file that stands for it.
"""

from .door import document, find_files, load, page_picture
from .language import asked_in
from .limits import Limits
from .reading import printable

__all__ = ["Limits", "asked_in", "document", "find_files", "load", "page_picture", "printable"]
