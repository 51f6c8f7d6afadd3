"""What a configuration needs, before it runs."""
