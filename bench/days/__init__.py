"""Natural variation on real days and on made-up windows: what the learnt null saves, what it costs, what it misses."""
