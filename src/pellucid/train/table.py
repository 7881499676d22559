"""What a stage trains, for people (plain lines) and for the record (`parameters.json`)."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from pellucid.base.paths import write_text
from pellucid.recipe.train import LoraModules, Modules
from pellucid.train.optim import Parameter

FILE = "parameters.json"


@dataclass(frozen=True, slots=True)
class Row:
    """Parameter counts of one module; a tied tensor counts once."""

    module: str
    parameters: int
    trained: int
    muon: int
    """Of the trained: by Muon; the rest by AdamW."""
    rate: float | None
    """Peak learning rate; None when frozen."""


def sizes(modules: Mapping[str, nn.Module]) -> dict[str, int]:
    """Parameters of each module, adapters not among them while there are none."""
    return {
        name: sum(tensor.numel() for tensor in module.parameters())
        for name, module in modules.items()
    }


def rows(sizes: Mapping[str, int], rates: Modules, trained: Sequence[Parameter]) -> list[Row]:
    """One row per module, in the order of the modules; adapters count as trained alone."""
    peaks = rates.model_dump()

    def count(name: str, *methods: str) -> int:
        found = [one for one in trained if one.module == name and one.method in methods]
        return sum(one.tensor.numel() for one in found)

    return [
        Row(
            name,
            size,
            count(name, "adamw", "muon"),
            count(name, "muon"),
            peaks[name],
        )
        for name, size in sizes.items()
    ]


def checked(
    table: list[Row], modules: Mapping[str, nn.Module], lora: LoraModules | None
) -> list[Row]:
    """The same rows, if what asks for gradients is what the stage says, no more and no less.

    A module without a rate asks for none, one with adapters for a part, any other for all of its
    own; and what asks for a gradient has an optimizer.

    >>> checked([Row("decoder", 20, 0, 0, None)], {"decoder": nn.Linear(4, 4)}, None)
    Traceback (most recent call last):
    AssertionError: 20 parameters of decoder are trained, 0 are to be
    """
    for row in table:
        asks = sum(one.numel() for one in modules[row.module].parameters() if one.requires_grad)
        adapted = row.rate is not None and lora is not None and getattr(lora, row.module)
        whole = 0 if row.rate is None else row.parameters
        wanted = row.trained if adapted else whole
        told = f"{asks} parameters of {row.module} are trained, {wanted} are to be"
        assert asks == wanted == row.trained, told
    return table


def lines(table: Sequence[Row]) -> list[str]:
    """The table for a log.

    >>> for line in lines([Row("projector", 20, 20, 16, 1e-3), Row("decoder", 1500, 0, 0, None)]):
    ...     print(line)
      module        parameters       trained          muon      rate
      projector             20            20            16     0.001
      decoder            1,500             0             0    frozen
    """
    names = "".join(f"{name:>14}" for name in ("parameters", "trained", "muon"))
    found = [f"  {'module':<10}{names}{'rate':>10}"]
    for row in table:
        counts = "".join(f"{count:>14,}" for count in (row.parameters, row.trained, row.muon))
        rate = "frozen" if row.rate is None else f"{row.rate:g}"
        found.append(f"  {row.module:<10}{counts}{rate:>10}")
    return found


def report(folder: Path, table: Sequence[Row]) -> None:
    """Print the table and write it to `parameters.json`."""
    for line in lines(table):
        print(line, file=sys.stderr)
    modules = [asdict(row) for row in table]
    trained, total = (sum(row[name] for row in modules) for name in ("trained", "parameters"))
    told = {"modules": modules, "parameters": total, "trained": trained}
    write_text(folder / FILE, json.dumps(told, indent=1) + "\n")
