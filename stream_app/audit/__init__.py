"""The audit: whether every record that went in is accounted for, by what is on the topics alone.

reading.py: reads the topics; found.py: what they hold. checks.py, reported.py: compare. claims.py, recount.py,
comparison.py: count again and compare. difference.py: where something does not balance. table.py: for people and for
programs. Only reading.py does I/O. Nothing is changed anywhere, so it may run beside the workers.
"""
