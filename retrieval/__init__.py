"""Evidence: documents read from files and from the web, cut into passages, indexed, and found again by words and by meaning.

`loaders` read file types, `folder` a person's files, `web` services and pages, all of them through `http`, the one way to the
network. `chunks`, `store`, `vectors`, `lexical` and `index` keep passages, `search` finds them; `types` are the nouns, `outcomes` the
ways to fail. Nothing here knows a question's plan or a report.
May import: nothing else of this house; each library through the one file that stands for it.
"""
