"""From the text of an answer to its type: LaTeX, Unicode and plain notation."""
