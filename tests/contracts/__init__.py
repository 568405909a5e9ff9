"""Golden examples: the bytes of each message, read and written by both ends."""
