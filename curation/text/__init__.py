"""Texts as tokens in one notation, and the indexes that the other steps compare."""
