"""Compiled: the form of a fitted model that the api scores without scikit-learn."""
