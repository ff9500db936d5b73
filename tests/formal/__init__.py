"""Proofs: what blocks do for all values and at all times, within the sizes stated."""
