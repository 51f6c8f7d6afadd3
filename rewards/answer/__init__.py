"""The types of a parsed answer, and units of measure."""
