"""Places in a response where the answer can be: after the thought, in a box, in a statement."""
