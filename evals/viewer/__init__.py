"""The viewer: every response of a run in a browser, from its Parquet files."""
