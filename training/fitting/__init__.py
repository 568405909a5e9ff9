"""Fitting: from samples to a calibrated model with a threshold: search, folds, fit, calibrate, choose."""
