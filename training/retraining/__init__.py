"""Retraining: when the world has moved, a new version is made, and let in front of users step by step."""
