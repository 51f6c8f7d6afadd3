"""Kinds of tokens, as small integers for compiled loops to compare."""

NUMBER, OPERATOR, BRACKET, LETTER, WORD = 0, 1, 2, 3, 4
"""Kinds of tokens, those that make up the mathematics first."""
