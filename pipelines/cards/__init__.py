"""What describes a data set or a model to its readers."""
