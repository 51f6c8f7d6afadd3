"""Texts as tokens of one notation, and the indexes that the other steps compare."""
