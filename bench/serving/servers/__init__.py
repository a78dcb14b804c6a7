"""The other systems' own programs, each run with the interpreter of its environment."""
