"""A directory of mountain huts: the project."""
