"""api: HTTP in, predictions out; every answered prediction is on its way to Kafka before its answer is."""
