"""One container's life: the source inside it, the worker, the wire."""
