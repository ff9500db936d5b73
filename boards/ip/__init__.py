"""The accelerator as a component of other people's systems: what their tools want to know."""
