"""Random fetch of encoded pictures of 10 to 50 KB by hash, warm, from one process.

    .venv/bin/python benchmarks/fetch.py --pictures 40000

Makes packs of 500 random byte strings (a fetch does not decode), reads all once, then fetches at
random. Prints fetches a second by the clock and by the processor's time of this process, which says
more where others use the machine.
"""

import argparse
import hashlib
import random
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from pellucid import store
from pellucid.base.paths import write_json
from pellucid.store import arrow, layout
from pellucid.store.images import offsets, write_pack

PACK = 500


def make(folder: Path, pictures: int) -> list[str]:
    """A store of pictures and no record; returns their hashes."""
    draw, rows = random.Random(0), []
    for first in range(0, pictures, PACK):
        shard = f"shard-{first // PACK:06d}"
        data = [draw.randbytes(draw.randint(10_000, 50_000)) for _ in range(PACK)]
        names = [hashlib.sha256(one).hexdigest() for one in data]
        members = [(f"{name}.png", one) for name, one in zip(names, data, strict=True)]
        write_pack(folder / "images" / layout.pack(shard), members)
        starts = offsets([len(one) for one in data])
        for name, start, one in zip(names, starts, data, strict=True):
            place = {"pack": layout.pack(shard), "offset": start, "length": len(one)}
            facts = {"width": 1, "height": 1, "pixel_sha256": name, "phash256": name}
            rows.append({"sha256": name, **place, **facts})
    rows.sort(key=lambda row: str(row["sha256"]))
    table = pa.Table.from_pylist(rows, schema=arrow.INDEX)
    arrow.write_tables(folder / layout.INDEX, [table], arrow.INDEX, arrow.LONG_GROUP_ROWS)
    (folder / "records").mkdir()
    arrow.write_table(folder / layout.records("none"), arrow.to_table([]))
    arrow.write_table(folder / layout.LEDGER, arrow.LEDGER.empty_table())
    write_json(folder / layout.STORE, {"format": layout.FORMAT, "shards": ["none"]})
    return [str(row["sha256"]) for row in rows]


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=40_000)
    parser.add_argument("--fetches", type=int, default=200_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        hashes = make(Path(name), told.pictures)
        opened = store.open(Path(name))
        total = sum(len(opened.image(one)) for one in hashes)
        wanted = random.Random(1).choices(hashes, k=told.fetches)
        clock, used = time.perf_counter(), time.process_time()
        for one in wanted:
            opened.image(one)
        clock, used = time.perf_counter() - clock, time.process_time() - used
    print(f"{len(hashes):,} pictures, {total / 1e9:.2f} GB, {told.fetches:,} fetches: ", end="")
    print(f"{told.fetches / clock:,.0f}/s by the clock, {told.fetches / used:,.0f}/s of processor")


if __name__ == "__main__":
    main()
