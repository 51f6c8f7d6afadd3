"""Sampling from OpenAI-compatible servers."""
