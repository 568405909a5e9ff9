"""What it costs to bring an event from the outbox to Kafka and to the mirror."""
