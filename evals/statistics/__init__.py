"""Statistics for published results: accuracies, intervals, tests, curves."""
