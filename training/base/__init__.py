"""The model that PPO starts from."""
