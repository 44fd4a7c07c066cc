"""Batteries of faults: damaged streams, forged records, cheating suites, signals, and the steps of a session."""
