"""Commands of `python -m training`: their options, and what they print. What they do is in the other packages."""
