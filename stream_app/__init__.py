"""Where the stream is watched: counts per window, drift statistics, alerts."""
