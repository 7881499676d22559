"""The nouns that cross a border between rooms: frozen values, no more behaviour than their rules."""
