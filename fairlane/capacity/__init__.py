"""Capacity at work: what is watched, where its values come from, and the job that judges it."""
