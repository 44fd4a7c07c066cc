"""From a run's events to what people read: pytest's reports, the comparison, the files."""
