"""The nemesis: a live producer, workers, and a seeded sequence of faults; then each count is compared with the truth.

run.py puts it together. Pure: models.py, load.py (the events), schedule.py (the faults), settings.py (of the workers),
truth.py (what must have been counted), verdict.py (whether it was), outcome.py, figures.py. Shells: broker.py,
proxy.py, crew.py, faults.py, producing.py, observing.py.
"""
