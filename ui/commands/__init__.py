"""The commands of `research`, a module for each family of them.

Each is a plain function whose arguments are the options; `cli` gives them their names. They translate words into calls of workflows.
May import: workflows and agent; typer.
"""
