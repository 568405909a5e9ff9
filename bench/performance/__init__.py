"""What performance windows say: how exact, how often wrong, what they find, and what the estimate cannot see."""
