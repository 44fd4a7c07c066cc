"""Read and check the values of options, from the command line, variables and ini files."""
