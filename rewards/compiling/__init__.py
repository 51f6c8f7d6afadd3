"""Rewards of a corpus, compiled and checked before training pays by them."""
