"""The example data sets: real flights and synthetic payments, behind one interface (dataset.py)."""
