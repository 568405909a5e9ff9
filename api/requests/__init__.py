"""What a request says: its headers and body, read into types, and what is wrong with one that is refused."""
