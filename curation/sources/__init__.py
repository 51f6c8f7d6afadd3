"""Sources of problems: files, hub data sets and their fields."""
