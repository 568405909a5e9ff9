"""The local stack: real Apache Kafka and real Redis as child processes; no Docker, no Java installation."""
