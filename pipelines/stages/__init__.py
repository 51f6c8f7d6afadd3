"""The stages: config in, artifact out."""
