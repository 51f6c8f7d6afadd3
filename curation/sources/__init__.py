"""Where problems come from: files, hub data sets and their fields."""
