"""training: from a file of labelled rows to a registered model version with its baseline."""
