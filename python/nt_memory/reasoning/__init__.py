"""Trajectories, verdicts and what is distilled from them."""
