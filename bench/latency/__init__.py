"""`python -m bench latency`: how long an event takes until it is counted, and a window's end until somebody is told.

load.py: live traffic, in a process of its own. watching.py: what appears on the topics, and when. moments.py: what is
measured, exactly. run.py: one run for each rate, with a real worker, sink and receiver.
"""
