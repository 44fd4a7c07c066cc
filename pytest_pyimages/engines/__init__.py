"""Container engines behind one protocol; ``docker`` is the only module that imports docker-py."""
