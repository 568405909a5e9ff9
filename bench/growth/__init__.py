"""What growth costs: memory over many events, recovery with many open windows, stage 2 with many partitions."""
