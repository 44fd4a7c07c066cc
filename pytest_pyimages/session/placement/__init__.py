"""Where the images of a session run, and what becomes of those whose machine is lost."""
