"""The audit: whether every record that went in is accounted for, by what is on the topics alone.

reading.py: reads the topics. found.py: what they hold. checks.py, recount.py: PURE, compare. difference.py: where
something does not balance. table.py: for people and for programs. Nothing is changed anywhere, so it may run beside the
workers.
"""
