"""The benchmarks: what the plugin costs, against the same done by hand."""
