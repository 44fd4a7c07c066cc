"""Container engines behind one protocol; only ``docker`` and what it alone imports know docker-py."""
