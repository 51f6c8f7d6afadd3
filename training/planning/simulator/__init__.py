"""Simulation of a whole run on a cluster: how long it takes, what it costs, and how long GPUs are idle."""
