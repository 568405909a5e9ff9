"""Faust's consumer turned into one event per (poll, partition), and cured of losing messages in its recovery.

batches.py: how a poll becomes batches. consumer.py: committing by batch, and the cure. tables.py: state that survives a
late writer. framework.py: the Faust app that uses them. Beside stream_app/app.py nothing else knows Faust. All of it
holds for exactly the pinned versions: tests/unit/stream_app/delivery/test_contract.py compares what is overridden.
"""
