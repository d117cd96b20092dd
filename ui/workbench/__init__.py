"""The research workbench: `research ui` shows runs in a browser, and asks, watches, doubts and steers them.

A page is a function of frozen values and decides nothing; what it does, it does as the command does it: by starting one, or by calling
the same function of workflows. Streamlit comes in here and nowhere else.
May import: workflows, agent's types.
"""
