"""Data: a described file becomes samples with labels and times, and is split."""
