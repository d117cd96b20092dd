"""The research agent: a loop of frozen states and plain steps from a question to a draft in which every claim has its evidence.

`loop` runs the `steps` within a `budget`; `state` and `draft` are its nouns, `drafting`, `selection` and `sections` write, `checking`,
`rivals` and `hypotheses` put what was written to the test. `writer` is the one file that opens a model; nothing here reads a file of
documents or the network, or knows that LangGraph exists.
May import: dlm_core (in `writer` alone, but for `kinds`), and of retrieval its types and `copies`.
"""
