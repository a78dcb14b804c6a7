"""Word vectors in MongoDB: lookups, restore and verification."""
