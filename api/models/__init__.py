"""Versions of the registered model: fetched, checked, made ready to score."""
