"""The commands of measuring, a module each."""
