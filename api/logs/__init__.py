"""What the API writes to its log: one line for each record, and nothing in it that a client sent as data."""
