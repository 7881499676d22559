"""A mix: a query over record stores, solved together, and the ledger of what it leaves out.

pool      a source as columns            share   which records are switched to the other mode
where     what each record is asked      solve   shares, counts, caps and thinking together
choose    which are taken, and caps      order   windows of a curriculum
allocate  shares as whole numbers        tokens  lengths, by the model's own renderer
"""

from pellucid.data.mix.allocate import planned
from pellucid.data.mix.build import VERSION, build_mix
from pellucid.data.mix.where import BEYOND, OVERLAP
from pellucid.data.mix.write import SUMMARY

__all__ = ["BEYOND", "OVERLAP", "SUMMARY", "VERSION", "build_mix", "planned"]
