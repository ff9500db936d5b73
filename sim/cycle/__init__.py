"""The cycle model: when everything happens, without the data."""
