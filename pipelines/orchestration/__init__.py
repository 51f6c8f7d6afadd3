"""The stages on a Prefect server; the only folder that imports Prefect."""
