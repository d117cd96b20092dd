"""The ways in for programs: a model over HTTP, runs over HTTP, and a chat model of another host as the writer.

`server` puts the application together behind `guard` (Host, Origin, token) and `load` (one bounded, fair queue); `wire` has the bodies,
`replies` the answers, `runs` the doors to runs. `remote_writer` and `chat_writer` are the other end: clients of such hosts.
May import: of this floor `config`, `errors`, `runs`, `jobs`; agent, dlm_core, retrieval's door; FastAPI here alone.
"""
