"""What one update of a plain LSTM costs: ours, the same in C, and others' at the same sizes. See `__main__`."""
