"""API keys: the file that holds their hashes, and what each client may send."""
