"""Models that were trained elsewhere: a baseline by a reference file, and where it goes."""
