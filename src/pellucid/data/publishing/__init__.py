"""A store given away as far as its licences allow, and made whole again by who has the sources.

    store.json records/ images/ ledger.parquet labels/   the rows that may go, a store in itself
    withheld.parquet    of every other row: where it stood, its source key, licence and hashes
    recipe.yaml         the part of the recipe that makes the store, where it is known
    README.md           the datasheet
    publish.json        what was allowed, and the manifest hashes; written last

`publish` makes such a folder, `rebuild` the store that it was made of: its files, byte by byte.
"""
