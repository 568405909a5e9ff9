"""Which version answers a row and which one shadows it: decided here from values alone."""
