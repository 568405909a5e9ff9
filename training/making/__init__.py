"""Making a version: the plan, the training, what is put on record of it, and the same once more."""
