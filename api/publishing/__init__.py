"""From the outbox to Kafka and to the mirror in Redis."""
