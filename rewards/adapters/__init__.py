"""The verifier as a reward function of other trainers: TRL, verl and OpenRLHF."""
