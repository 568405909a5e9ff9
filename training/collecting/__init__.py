"""Collecting: predictions and their late truth, read from the topics, become a data set to train on."""
