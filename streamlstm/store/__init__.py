"""What survives the process: bytes in one SQLite file, each with a checksum of ours, in a folder of one's own."""
