"""Kinds of tokens, as small integers that compiled loops compare."""

NUMBER, OPERATOR, BRACKET, LETTER, WORD = 0, 1, 2, 3, 4
"""Kinds of tokens; what makes up the mathematics comes first."""
