"""The audit: whether every record that went in is accounted for, by what is on the topics alone.

reading.py: reads the topics. checks.py: PURE, compares. table.py: for people. Nothing is changed anywhere, so it may
run beside the workers.
"""
