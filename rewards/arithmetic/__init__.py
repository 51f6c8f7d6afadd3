"""Exact values and rigorous enclosures of expressions, and sets of real numbers."""
