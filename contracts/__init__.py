"""What crosses a process boundary: schemas, events, histograms, baselines, partials, reports, alerts, topics.

Behaviour lives here only where both ends of a topic must agree on it. No service, no framework, no I/O, no clock.
"""
