"""Make `assets/wordnet/related.txt.gz` from the files of WordNet 3.0.

    .venv/bin/python benchmarks/wordings/make_related.py FOLDER OUT

FOLDER holds `data.noun`, `index.noun`, `noun.exc`, `cntlist.rev` and so on (Debian: the package
wordnet-base). A line is a word, what it is (v: mostly a verb, a: also an adjective, - else), and
the later words of the list that are related to it; a line `form > lemma` is an irregular form.
"""

import gzip
import re
import sys
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

SENSES, BROADER = 3, 2
"""Senses of a word that are looked at, and of a noun those whose next broader one is."""
TIMES = 1
"""How often a word must stand in the tagged texts of WordNet."""
KINDS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}


def main(folder: Path, out: Path) -> None:
    """Write the list."""
    times: Counter[str] = Counter()
    for line in (folder / "cntlist.rev").read_text().splitlines():
        key, _, count = line.split()
        times[key.partition("%")[0]] += int(count)
    common = {w for w, n in times.items() if n >= TIMES and re.fullmatch("[a-z]{2,}", w)}
    common |= _beside(folder, common)
    senses, kinds = _senses(folder, common)
    own: dict[str, set[str]] = {w: {s for s, _ in found} for w, found in senses.items()}
    near = {w: set(some) for w, some in own.items()}
    first = {w: {s for s, rank in found if rank < BROADER} for w, found in senses.items()}
    for kind, a, b in _links(folder):
        for one, other in ((a, b), (b, a)):
            for w in _by(first if kind == "@" else own).get(one, ()):
                near[w].add(other if kind != "@" else f"@{other}")
    pairs = _pairs(own, near, first)
    lines = [f"{w} {kinds[w]} {' '.join(sorted(pairs[w]))}".rstrip() for w in sorted(own)]
    for name in ("noun", "verb", "adj"):
        for line in (folder / f"{name}.exc").read_text().splitlines():
            form, lemma, *_ = line.split()
            if lemma in own and "_" not in form:
                lines.append(f"{form} > {lemma}")
    out.write_bytes(gzip.compress(("\n".join(lines) + "\n").encode(), 9, mtime=0))
    print(len(own), "words", sum(map(len, pairs.values())), "pairs", out.stat().st_size, "bytes")


def _beside(folder: Path, common: set[str]) -> set[str]:
    """Rare words whose first sense is one of the first two of a common word."""
    first, known = dict[str, str](), set[str]()
    for name, kind in KINDS.items():
        for line in (folder / f"index.{name}").read_text().splitlines():
            if line[0] == " ":
                continue
            word, *parts = line.split()
            places = parts[3 + int(parts[2]) + 2 :]
            if word in common:
                known |= {kind + place for place in places[:BROADER]}
            elif re.fullmatch("[a-z]{3,}", word):
                first.setdefault(word, kind + places[0])
    return {word for word, sense in first.items() if sense in known}


def _senses(
    folder: Path, common: set[str]
) -> tuple[dict[str, list[tuple[str, int]]], dict[str, str]]:
    senses: dict[str, list[tuple[str, int]]] = defaultdict(list)
    uses: dict[str, Counter[str]] = defaultdict(Counter)
    for name, kind in KINDS.items():
        for line in (folder / f"index.{name}").read_text().splitlines():
            if line[0] == " " or (parts := line.split())[0] not in common:
                continue
            places = parts[4 + int(parts[3]) + 2 :]
            uses[parts[0]][kind] += len(places)
            senses[parts[0]] += [(kind + at, rank) for rank, at in enumerate(places[:SENSES])]
    kinds = {
        w: "v" if n["v"] > n["n"] + n["a"] else "a" if n["a"] else "-" for w, n in uses.items()
    }
    return senses, kinds


def _links(folder: Path) -> list[tuple[str, str, str]]:
    found = []
    for name, kind in KINDS.items():
        for line in (folder / f"data.{name}").read_text().splitlines():
            if line[0] == " ":
                continue
            parts = line.split(" | ")[0].split()
            start = 4 + 2 * int(parts[3], 16)
            for at in range(start + 1, start + 1 + 4 * int(parts[start]), 4):
                link, place, other, _ = parts[at : at + 4]
                if link in "+=\\" or link == "@" and kind == other == "n":
                    found.append((link, kind + parts[0], other.replace("s", "a") + place))
    return found


_TABLES: dict[int, dict[str, set[str]]] = {}


def _by(words: dict[str, set[str]]) -> dict[str, set[str]]:
    """Words of each sense."""
    if id(words) not in _TABLES:
        table = _TABLES[id(words)] = defaultdict(set)
        for word, some in words.items():
            for sense in some:
                table[sense].add(word)
    return _TABLES[id(words)]


def _pairs(
    own: dict[str, set[str]], near: dict[str, set[str]], first: dict[str, set[str]]
) -> dict[str, set[str]]:
    pairs: dict[str, set[str]] = defaultdict(set)
    for words in _by(own).values():
        for a, b in combinations(sorted(words), 2):
            pairs[a].add(b)
    for word, some in near.items():
        for sense in some:
            table = _by(first) if sense[0] == "@" else _by(own)
            for other in table.get(sense.lstrip("@"), ()):
                if other != word:
                    pairs[min(word, other)].add(max(word, other))
    return pairs


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
