"""What is in the environment images: the project's own word, a recipe, a build, the engine's storage."""
