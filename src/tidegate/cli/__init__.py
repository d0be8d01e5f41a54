"""The command line: parse, call, print. Results go to standard output, all else to standard error."""
