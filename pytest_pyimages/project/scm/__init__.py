"""Project versions that come from git tags."""
