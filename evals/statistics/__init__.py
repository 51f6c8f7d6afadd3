"""Figures that may be published: accuracies, intervals, tests, curves."""
