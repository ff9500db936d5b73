"""Shiftloom: generate, simulate and verify quantized neural-network accelerators."""
