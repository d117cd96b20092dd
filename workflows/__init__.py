"""Runs: what a person asks for, from settings and documents to a report in a folder that can be resumed, audited and exported.

`research` is one run and `graph` its checkpointed form; `config`, `corpus`, `web` and `runs` are what goes in and what stays;
`rendering` and `export` make reports, `seal` and `audit` hold them to their sources. `serving` and `mcp` are the ways in for programs,
`evaluation` measures.
May import: agent, dlm_core, retrieval; LangGraph in `graph`, FastAPI in `serving`, mcp in `mcp`.
"""
