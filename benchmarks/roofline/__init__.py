"""How far our update is from what this machine can give, stage by stage. See `__main__`."""
