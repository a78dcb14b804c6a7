"""The sample model of the repository and the program that trained it (`sample_model.train`)."""
