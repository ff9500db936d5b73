"""Networks that others quantized: import of QONNX as it is, and export to it."""
