"""Event time without a clock: windows, watermarks, stage 1 (counts per source partition), stage 2 (merge and close)."""
