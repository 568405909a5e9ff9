"""The tests of Tidemark: unit (no network), integration (real Kafka and Redis), e2e (the whole loop)."""
