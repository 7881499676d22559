"""The evidence bundle: all that a verdict rests on, hashed together in one `bundle.json`.

    verdict.json    outcome and checks
    policy.json     the release slice of the resolved recipe, and what `final` stood for
    metrics.json    the metrics and paired differences that the policy reads
    lineage.json    the judged checkpoint's hash; job -> key and content hash of all it came from
    bundle.json     SHA-256 of each file above; its own hash names the bundle

Holds no time and no path, so equal evidence gives equal bytes. Leaves out on purpose: rows and
weights; they lie in the artifacts that the lineage names.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.base.hashing import hash_file
from pellucid.base.paths import write_json
from pellucid.recipe.release import ReleaseOptions
from pellucid.release.checks import Metrics, Pairs
from pellucid.release.decide import FINAL, metrics_read
from pellucid.schema.report import Metric
from pellucid.schema.verdict import CheckResult, Verdict

INDEX = "bundle.json"
FILES = ("lineage.json", "metrics.json", "policy.json", "verdict.json")


@dataclass(frozen=True, slots=True)
class Link:
    """One job that the model or the metrics came from."""

    key: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """The evidence of one verdict."""

    verdict: Verdict
    options: ReleaseOptions
    metrics: Metrics
    pairs: Pairs
    lineage: Mapping[str, Link]
    """By job name."""
    checkpoint: str
    """`content_hash` of the checkpoint folder that was judged."""
    final: str = FINAL
    """Name of the last checkpoint, which `eval.final.*` in the policy stands for."""


def write_bundle(folder: Path, bundle: Bundle) -> str:
    """Write a bundle; metrics that the policy does not read are left out.

    Returns:
        Hash of the bundle: SHA-256 of `bundle.json`, which is written last.
    """
    ids, pairs = metrics_read(bundle.options, bundle.final)
    contents: dict[str, Any] = {
        "verdict.json": asdict(bundle.verdict),
        "policy.json": {"final": bundle.final, "release": bundle.options.model_dump(mode="json")},
        "metrics.json": {
            "metrics": [asdict(bundle.metrics[name]) for name in ids if name in bundle.metrics],
            "pairs": [
                {"new": new, "baseline": old, "difference": asdict(bundle.pairs[new, old])}
                for new, old in pairs
                if (new, old) in bundle.pairs
            ],
        },
        "lineage.json": {
            "checkpoint": bundle.checkpoint,
            "jobs": {name: asdict(link) for name, link in bundle.lineage.items()},
        },
    }
    with boundary("writing the evidence bundle"):
        for name in FILES:
            write_json(folder / name, contents[name])
        write_json(folder / INDEX, {name: hash_file(folder / name) for name in FILES})
        return hash_file(folder / INDEX)


def bundle_hash(folder: Path) -> str:
    """The hash of a bundle, after comparing every file with it.

    Raises:
        UserError: a file is missing, unreadable or not the one that was hashed.
    """
    told = _read(folder / INDEX)
    if not isinstance(told, dict) or sorted(told) != list(FILES):
        raise _broken(folder / INDEX, "does not list the files of a bundle")
    for name in FILES:
        path = folder / name
        if not path.is_file() or hash_file(path) != told[name]:
            raise _broken(path, f"is not the file that {INDEX} names")
    return hash_file(folder / INDEX)


def read_bundle(folder: Path) -> Bundle:
    """A bundle from its folder, every file checked against its hash.

    Raises:
        UserError: a file is missing, unreadable or not the one that was hashed.
    """
    bundle_hash(folder)
    policy, measured = _read(folder / "policy.json"), _read(folder / "metrics.json")
    verdict, lineage = _read(folder / "verdict.json"), _read(folder / "lineage.json")
    try:
        return Bundle(
            verdict=_verdict(verdict),
            options=ReleaseOptions.model_validate(policy["release"]),
            metrics={tree["id"]: Metric(**tree) for tree in measured["metrics"]},
            pairs={
                (tree["new"], tree["baseline"]): Metric(**tree["difference"])
                for tree in measured["pairs"]
            },
            lineage={name: Link(**tree) for name, tree in lineage["jobs"].items()},
            checkpoint=lineage["checkpoint"],
            final=policy["final"],
        )
    except (AttributeError, KeyError, TypeError, ValidationError):
        raise _broken(folder, "holds a file of another version of pellucid") from None


def _verdict(tree: Mapping[str, Any]) -> Verdict:
    checks = tuple(
        CheckResult(**{**check, "evidence": tuple(check["evidence"])}) for check in tree["checks"]
    )
    return Verdict(tree["outcome"], checks, tree["policy_hash"])


def _read(path: Path) -> Any:
    with boundary("reading the evidence bundle"):
        data = path.read_bytes()
    try:
        return json.loads(data)
    except ValueError:
        raise _broken(path, "is not JSON") from None


def _broken(path: Path, rule: str) -> UserError:
    return UserError(Problem("evidence", str(path), rule, "run the release job again"))
