"""Read lock files and turn them into constraints for an installer."""
