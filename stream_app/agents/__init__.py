"""The two agents, thin: they take batches in, let windowing/ and drift/ decide, and put in order what must be written.

ports.py: what they ask of the outside. counting.py: stage 1. merging.py: stage 2. publishing.py: what they send.
holes.py: batches that do not follow the one before. None of it knows Faust: stream_app/app.py puts it together.
"""
