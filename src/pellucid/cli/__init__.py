"""The command line: one file per verb, each a thin hand over one room. No torch at the top."""
