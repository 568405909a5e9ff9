"""The audit: whether every record that went in is accounted for, by what is on the topics alone.

reading.py, label_reading.py: read the topics, and alone do I/O; counts.py, found.py, letters.py, revisions.py: what
they hold. checks.py, reported.py, label_checks.py: compare. claims.py, recount.py, comparison.py: count again and
compare. difference.py: where something does not balance; standing.py: what of it several readings agree on. table.py:
for people and for programs. Nothing is changed anywhere, so it may run beside the workers.
"""
