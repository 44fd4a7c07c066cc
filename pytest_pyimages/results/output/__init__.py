"""Write results to the terminal, report files, GitHub Actions and coverage reports."""
