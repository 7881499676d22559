"""Whether two questions ask for the same thing, in whatever words. English."""
