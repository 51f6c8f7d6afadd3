"""Instructions that a source wraps around its problems."""
