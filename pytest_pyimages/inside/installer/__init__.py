"""The install step, run by the Python of the image that is being built."""
