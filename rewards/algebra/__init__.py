"""The last resort: sympy, in resource-limited worker processes."""
