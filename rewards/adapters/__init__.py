"""The verifier as a reward function for other trainers: TRL, verl and OpenRLHF."""
