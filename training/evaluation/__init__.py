"""Evaluation: how good scores are, and what a version keeps of that: measures, its record, its test rows."""
