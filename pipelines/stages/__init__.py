"""The stages of a run: each takes a config and artifacts, and makes an artifact."""
