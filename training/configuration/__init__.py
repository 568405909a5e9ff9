"""Configuration: training.yaml, and names that a model and an alias may have."""
