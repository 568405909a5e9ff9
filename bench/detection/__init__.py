"""Calibration of the verdicts: how often nothing alarms, how much is found, and whether it is named right."""
