"""Publication of data sets and models on a hub."""
