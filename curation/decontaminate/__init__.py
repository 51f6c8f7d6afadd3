"""Detection of problems that repeat a benchmark problem."""
