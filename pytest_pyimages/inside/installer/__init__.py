"""The install step: copied into a container of the image that is being built, and run by its Python."""
