"""What happened when: the order of observations, the gaps between them, the pace of a series."""
