"""The sample model of the repository and the script that trained it."""
