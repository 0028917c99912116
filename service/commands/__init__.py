"""The commands of the command line, one module per room they work in."""
