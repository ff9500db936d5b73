"""A quantized graph becomes a program."""
