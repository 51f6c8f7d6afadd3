"""Is this base model computed exactly, and how? Measured before a run on a toy of its architecture."""
