"""What a person sees: the command line.

`cli` is the command `research`, `streams` what its output does on terminals and in pipes. Words and exit codes only: whatever a command
does is done in workflows, so that a program can do it too.
May import: workflows and agent; typer and rich in `cli`.
"""
