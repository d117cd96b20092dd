"""One renderer a surface, each with the one escape function of that surface; what is rendered is never read back.

`markdown` writes report.md, `html` report.html and `pdf` report.pdf from the same blocks; `text` has the words that all of them use.
Nothing is decided here: which block stands where, and how sure it is, is in the draft.
May import: of this floor nothing; agent's state and draft, retrieval's types; typst in `pdf`.
"""
