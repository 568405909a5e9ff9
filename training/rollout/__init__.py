"""Rollout: a challenger on its way to become the champion: shadow, then a growing share of the entities."""
