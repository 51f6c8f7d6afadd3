"""The store of what stages make, and where each artifact comes from."""
