"""Between bytes and values: what messages say, and what we publish."""
