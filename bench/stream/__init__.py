"""`python -m bench stream`: how fast the stream counts, beside bare aiokafka and an ordinary Faust agent.

material.py: the events. preload.py: fills a topic. bare.py, naive.py, worker.py: what is measured, each in processes of
its own. observing.py: counters and processor time while they run. profile.py, sampled.py: where a worker's time goes.
"""
