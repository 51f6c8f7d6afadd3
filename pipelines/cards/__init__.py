"""Cards and metadata that describe data sets and models to their users."""
