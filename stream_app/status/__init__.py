"""Status: what the workers are doing right now, from what they have written and what the group's coordinator knows.

reading.py: reads the state topics, the last heartbeats, the group and the logs' ends. hearing.py: PURE, says when each
worker spoke last. picture.py: PURE, puts them together. holding.py: PURE, says what holds time back. table.py: for
people and for programs. Nobody joins the group.
"""
