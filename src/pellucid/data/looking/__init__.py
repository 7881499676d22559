"""Looking at stores: counts, two versions compared, one record's way, a dataset card.

Everything is read from columns on disk by DuckDB, in bounded memory; nothing is written but the
pages and cards that are asked for. A folder here is always a finished store (`store.json`).
"""
