"""The crash-safe log on disk between an answer and Kafka."""
