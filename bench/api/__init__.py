"""`python -m bench api`: our server beside an ordinary FastAPI endpoint, `mlflow models serve` and an empty endpoint.

wrk_package.py, wrk.py, load.lua: the load tool. pinned.py: who runs on which core. material.py: the model and the
requests. servers.py, ours.py: what is measured, each a process of its own; ordinary.py and constant.py are two of them.
run.py: the parts, and how long. measurement.py: what is run, in which order; trial.py: one run. memory.py: millions of
requests. pressure.py: beside batches and explanations, and with too many connections. delivered.py: whether every
answer is on Kafka. figures.py, table.py: what comes of it.
"""
