"""What runs on the laptop: deploys, builds of models, the local Nanode, and `make serve`."""
