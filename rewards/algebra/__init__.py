"""The last resort: sympy, in worker processes with limits."""
