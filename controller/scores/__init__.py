"""Google's scores of one's own comments, collected while Perspective still answers."""
