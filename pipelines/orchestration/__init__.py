"""Prefect: the stages as tasks, the server, live progress; the only folder that imports Prefect."""
