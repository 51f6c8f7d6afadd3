"""The parser from answer text to a typed answer: LaTeX, Unicode and plain notation."""
