"""The rewards of a corpus, compiled and checked before training uses them."""
