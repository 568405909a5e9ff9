"""Drift statistics of one closed window against its baseline. Pure: counts in, verdicts out."""
