"""Preparation of the base model, the one that PPO starts from."""
