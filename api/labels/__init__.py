"""The late truth: labels taken by HTTP, joined with their predictions, on their way to Kafka."""
