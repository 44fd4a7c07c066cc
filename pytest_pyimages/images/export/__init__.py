"""Write an environment image as a Dockerfile, with pinned requirements."""
