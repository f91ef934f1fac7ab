"""Everything that waits: the broker's connection, the engine's loop, the page and the metrics."""
