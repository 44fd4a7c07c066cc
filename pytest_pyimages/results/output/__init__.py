"""Everything that shows results: terminal, report files, GitHub, coverage."""
