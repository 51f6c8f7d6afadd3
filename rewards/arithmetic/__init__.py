"""Exact and enclosed values of expressions, and sets of real numbers."""
