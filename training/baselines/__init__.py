"""Baselines: what the stream compares with: histograms, effects on the score, outcomes, natural variation."""
