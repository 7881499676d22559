"""The gate's wiring: reports and rows in, verdict and evidence out, and the catalog entry."""

from collections.abc import Mapping
from pathlib import Path

from pellucid.base.errors import Problem, UserError
from pellucid.base.hashing import canonical_json
from pellucid.base.paths import write_bytes
from pellucid.eval.page_input import Judged
from pellucid.eval.pairs import difference
from pellucid.eval.report import load_report, load_rows
from pellucid.flow.job import Work
from pellucid.flow.lines import say
from pellucid.flow.names import checkpoint_folder, checkpoint_name
from pellucid.flow.overlap import OVERLAPS, find_overlaps
from pellucid.recipe import Recipe
from pellucid.recipe.release import ReleaseOptions, pair_of
from pellucid.release import (
    OVERLAP,
    Bundle,
    Catalog,
    Entry,
    Link,
    content_hash,
    decide,
    hash_policy,
    metrics_read,
    read_bundle,
    resolve_final,
    write_bundle,
)
from pellucid.schema.artifact import Artifact
from pellucid.schema.report import Metric
from pellucid.schema.verdict import Verdict

EVIDENCE = "evidence"
"""Folder of the bundle inside a release artifact."""


def judge(options: ReleaseOptions, checkpoint: str, seed: int, work: Work) -> None:
    """The release job: decide over all reports and write the evidence bundle.

    Args:
        options: the policy.
        checkpoint: name of the job that made the last checkpoint.
        seed: of the paired intervals.
        work: the folder, and every job before.
    """
    final = checkpoint_name(checkpoint)
    evals = {
        name.removeprefix("eval."): artifact
        for name, artifact in work.parents.items()
        if artifact.manifest.type == "eval"
    }
    metrics = {
        metric.id: metric
        for artifact in evals.values()
        for metric in load_report(artifact.path).metrics
    }
    pairs = _pairs(options, final, metrics, evals, seed)
    if any(check.kind == "no_overlap" for check in options.checks.values()):
        found = find_overlaps(work.parents)
        metrics[OVERLAP] = found.metric
        lines = b"".join(canonical_json(row) + b"\n" for row in found.rows)
        write_bytes(work.folder / OVERLAPS, lines)
    bundle = Bundle(
        verdict=decide(options, metrics, pairs, hash_policy(options), final),
        options=options,
        metrics=metrics,
        pairs=pairs,
        lineage={
            name: Link(artifact.manifest.key, artifact.hash)
            for name, artifact in work.parents.items()
        },
        checkpoint=content_hash(checkpoint_folder(work.parents[checkpoint])),
        final=final,
    )
    write_bundle(work.folder / EVIDENCE, bundle)


def verdict_of(release: Artifact) -> Verdict:
    """The verdict of a release artifact, its evidence checked."""
    return read_bundle(release.path / EVIDENCE).verdict


def judged_of(release: Artifact) -> list[Judged]:
    """What the gate measured itself: paired differences, and the count of known records."""
    bundle = read_bundle(release.path / EVIDENCE)
    found = []
    for name, check in bundle.options.checks.items():
        named = resolve_final(check, bundle.final)
        pair = pair_of(named)
        if pair and pair in bundle.pairs:
            sides = {id: bundle.metrics[id].rows for id in pair}
            found.append(Judged(f"release.{name}.difference", bundle.pairs[pair], sides))
    if OVERLAP in bundle.metrics:
        found.append(Judged(OVERLAP, bundle.metrics[OVERLAP], {}))
    return found


def read_verdict(home: Path, run: str) -> Verdict:
    """The verdict of a run.

    Raises:
        UserError: there is no such run, it has no gate, or jobs were done again after the verdict.
    """
    from pellucid.flow.runs import open_run

    artifacts = open_run(home, run)
    release = artifacts.get("release")
    if release is None:
        fix = "add a release slice to the recipe, or let the run finish"
        raise UserError(Problem("run", run, "has no verdict", fix))
    if outdated(artifacts):
        rule = f"has a verdict about an earlier {', '.join(outdated(artifacts))}"
        raise UserError(Problem("run", run, rule, "run the recipe again, to its end"))
    return verdict_of(release)


def outdated(artifacts: Mapping[str, Artifact]) -> list[str]:
    """Jobs of a run that were done again after its verdict was given; none without a verdict."""
    release = artifacts.get("release")
    if release is None:
        return []
    judged = release.manifest.parents
    return [name for name in judged if name in artifacts and artifacts[name].hash != judged[name]]


def register(recipe: Recipe, catalog: Path, artifacts: Mapping[str, Artifact]) -> Entry:
    """Enter the run's last checkpoint into the catalog; the alias moves only on PASS."""
    assert recipe.release is not None, "registering without a release slice"
    evidence = artifacts["release"].path / EVIDENCE
    bundle = read_bundle(evidence)
    final = next(
        artifact
        for artifact in artifacts.values()
        if artifact.manifest.type in ("init", "train", "rl")
        and checkpoint_name(artifact.name) == bundle.final
    )
    return Catalog(catalog).register(
        recipe.release.model or recipe.name,
        checkpoint_folder(final),
        evidence,
        bundle.verdict,
        bundle.lineage,
        recipe.release.alias,
    )


def _pairs(
    options: ReleaseOptions,
    final: str,
    metrics: Mapping[str, Metric],
    evals: Mapping[str, Artifact],
    seed: int,
) -> dict[tuple[str, str], Metric]:
    """Paired differences that the policy asks for.

    What is missing or cannot be paired is left out, which makes its check INCONCLUSIVE.
    """
    found = {}
    for new, old in metrics_read(options, final)[1]:
        if new not in metrics or old not in metrics:
            continue  # the check says that it is missing
        new_rows, old_rows = (load_rows(evals[id.split(".")[1]].path) for id in (new, old))
        try:
            found[new, old] = difference(metrics[new], metrics[old], new_rows, old_rows, seed)
        except UserError as error:
            say(f"  {new} and {old} cannot be paired: {error}")
    return found
