"""The requests of Google's Perspective API (`v1alpha1`), answered from this server's model."""
