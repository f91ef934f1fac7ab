"""Where a series' state lives, and in what order it moves: settle, learn, advance, forecast."""
