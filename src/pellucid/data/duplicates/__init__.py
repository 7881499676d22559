"""Duplicates: of pictures, of texts, and of questions about pictures; as label columns."""
