"""Stored samples in the layouts of other tools: one module a layout, found by content."""
