"""What the packages agree on: columns of records, settings, engines, prompts, files. Nobody's logic."""
