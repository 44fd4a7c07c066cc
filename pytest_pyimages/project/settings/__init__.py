"""What users configure for images: keys, their types, and services."""
