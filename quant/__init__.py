"""A model becomes a quantized graph."""
