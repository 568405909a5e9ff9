"""What an answer carries so that a late label needs no look-up: the prediction, authenticated."""
