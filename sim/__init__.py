"""Programs run: golden model and compiled RTL."""
