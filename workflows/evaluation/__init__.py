"""What the whole program can do, measured on questions whose answers are known, and the numbers that are fitted on such questions.

`suites` are questions of fact, `open_questions` and `open_score` those that ask how and why, `lift` what each reason to reopen is
worth; `fit_selection`, `fit_records` and `linear_fit` write the files of fitted numbers. Commands only: no run needs them.
May import: of this floor what a run is made of; agent, dlm_core, retrieval.
"""
