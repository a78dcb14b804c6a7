"""What runs on the laptop: deploy, build models, make the local Nanode, serve locally."""
