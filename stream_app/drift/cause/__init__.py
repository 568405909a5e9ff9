"""What most likely happened to a feature, read from its two histograms. Pure."""
