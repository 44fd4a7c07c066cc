"""Commands that read the JSON reports of runs; they use neither an engine nor pytest's configuration."""
