"""The command line; one file has the arguments and the actions of related commands."""
