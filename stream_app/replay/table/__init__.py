"""Tables as a source of events: CSV and Parquet, by column. The only part of a replay that needs pyarrow."""
