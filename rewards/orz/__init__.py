"""Open-Reasoner-Zero's own answer comparer, mistakes included."""
