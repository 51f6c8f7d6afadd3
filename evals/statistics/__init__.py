"""Publication-grade statistics: accuracies, intervals, tests, curves."""
