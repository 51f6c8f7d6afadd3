"""Detection of problems that are the same in other words or notation."""
