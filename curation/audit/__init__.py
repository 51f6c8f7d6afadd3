"""Gold audit: what speaks for and against each reference answer."""
