"""Suggested scores of comments, kept in MongoDB for training where that is switched on."""
