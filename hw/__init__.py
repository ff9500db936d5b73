"""The accelerator, one file per block of the diagram."""
