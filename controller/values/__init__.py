"""The values of the inventory's variables: their formats, and secrets that are taken literally."""
