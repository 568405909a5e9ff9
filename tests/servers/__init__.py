"""Real Kafka and Redis for tests, from Docker or from the local stack; the tests do not know which."""
