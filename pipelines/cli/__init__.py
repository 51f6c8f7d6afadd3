"""The command line: each command's arguments and its action in one file."""
