"""Open-Reasoner-Zero's own comparer, mistakes included."""
