"""The nouns that cross a border between rooms: frozen values with no behaviour of their own."""
