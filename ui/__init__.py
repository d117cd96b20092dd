"""What a person sees: the command line, and the workbench in a browser.

`cli` is the command `research`, `commands` what stands behind its names, `progress` and `live` how a run is seen in a terminal,
`streams` what output does on terminals and in pipes. Words and exit codes only: whatever a command does is done in workflows, so that
a program can do it too.
May import: workflows and agent; typer in `cli`, `options` and `commands`, rich in `live`, `progress` and `replaying`.
"""
