"""The paper's claims in the small: bases that pass a gate, variants and seeds, and a verdict."""
