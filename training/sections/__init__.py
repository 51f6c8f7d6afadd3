"""Sections of [training] with a file of their own."""
