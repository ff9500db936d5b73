"""Quantizers of four papers as NumPy computes them: what a trained network is deployed with."""
