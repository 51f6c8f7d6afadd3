"""What the packages agree on: record columns, settings, engines, prompts, files. No package's logic."""
