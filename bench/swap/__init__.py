"""`python -m bench swap`: requests at a steady rate while the champion changes, and beside a shadow and a canary.

load.py: the requests, each at its own moment. figures.py: what is measured, exactly. trial.py: one API and what is done
to it. run.py: the two trials.
"""
