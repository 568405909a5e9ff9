"""Several processes on one port: kept alive by a supervisor, their metrics shown as one page."""
