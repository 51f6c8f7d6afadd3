"""What the filters look for: patterns of problems and answers that a rule-based reward cannot use."""
