"""What must be true of data before a model is fitted to it."""
