"""How good a model version really was, from counts alone. Pure: no I/O, no clock."""
