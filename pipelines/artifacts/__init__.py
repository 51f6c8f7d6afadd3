"""The artifact store, and the provenance of each artifact."""
