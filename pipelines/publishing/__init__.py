"""Sending data sets and models to a hub."""
