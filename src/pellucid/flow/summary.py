"""The end of a run in one screen of 80 columns, and as plain values."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pellucid.base.errors import PellucidError
from pellucid.eval.report import load_report
from pellucid.flow.gate import outdated, verdict_of
from pellucid.flow.plan import plan_jobs
from pellucid.flow.run import RECIPE, REPORT, RunResult, choose
from pellucid.flow.runs import open_run
from pellucid.recipe import load
from pellucid.schema.report import Metric, Report
from pellucid.schema.verdict import Verdict

COLUMNS = ("checkpoint", "task", "mode", "accuracy", "95 %", "guess", "n", "tokens")
"""`guess` is the accuracy of always giving the most frequent answer."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to."""

    result: RunResult
    reports: tuple[Report, ...]
    verdict: Verdict | None

    @property
    def outdated(self) -> list[str]:
        """Jobs that were done again after the verdict and the page."""
        return outdated(self.result.artifacts)

    @property
    def missing(self) -> list[str]:
        """Jobs that the recipe has and the run has not; none where its own files are gone."""
        recipe, folder = self.result.recipe, self.result.folder
        try:
            jobs = plan_jobs(recipe, choose(recipe, folder, keep=False))
        except PellucidError:
            return []
        return [job.name for job in jobs if job.name not in self.result.artifacts]

    @property
    def page(self) -> Path:
        """Where the report's page is, once it was written."""
        return self.result.folder / REPORT / "index.html"

    def rows(self) -> list[tuple[str, ...]]:
        """One row per checkpoint, task and mode; cells as in `COLUMNS`.

        The last checkpoint in full; earlier ones in one mode, and of their pools alone where there
        are any, so that the table stays short. The page has the rest.
        """
        rows: list[tuple[str, ...]] = []
        pools = self.result.recipe.eval.pools
        for report in self.reports:
            found = metric_rows(report)
            if report is not self.reports[-1]:
                found = [row for row in found if row[1] == found[0][1]]
                found = [row for row in found if row[0] in pools] or found
            rows += [(report.checkpoint, *row) for row in found]
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "run": self.result.recipe.name,
            "folder": str(self.result.folder),
            "report": str(self.page),
            "built": list(self.result.built),
            "missing": self.missing,
            "artifacts": {
                name: {"path": str(artifact.path), "content_hash": artifact.hash}
                for name, artifact in self.result.artifacts.items()
            },
            "verdict": asdict(self.verdict) if self.verdict else None,
            "metrics": [asdict(metric) for report in self.reports for metric in report.metrics],
        }


def summarise(result: RunResult) -> Summary:
    """Read what a run's reports and gate say."""
    artifacts = result.artifacts
    release = artifacts.get("release")
    return Summary(
        result,
        tuple(
            load_report(artifact.path)
            for artifact in artifacts.values()
            if artifact.manifest.type == "eval"
        ),
        verdict_of(release) if release else None,
    )


def summarise_run(home: Path, name: str) -> Summary:
    """What a run that was recorded came to.

    Raises:
        UserError: there is no such run, or one of its artifacts is gone or damaged.
    """
    artifacts = open_run(home, name)
    folder = home / name
    return summarise(RunResult(folder, load(str(folder / RECIPE)), artifacts, ()))


def metric_rows(report: Report) -> list[tuple[str, ...]]:
    """What each task and mode came to; cells as in `COLUMNS`, but for the checkpoint."""
    by_id = {metric.id: metric for metric in report.metrics}
    rows: list[tuple[str, ...]] = []
    for id, metric in by_id.items():
        _, _, task, mode, group, name = id.split(".")
        if (group, name) != ("all", "accuracy"):
            continue
        tokens = by_id.get(id.removesuffix("accuracy") + "tokens")
        spent = "" if tokens is None or tokens.value is None else f"{tokens.value:.1f}"
        guess = by_id.get(id.removesuffix("accuracy") + "majority")
        guessed = "" if guess is None or guess.value is None else f"{guess.value:.3f}"
        shown = (_share(metric), _interval(metric), guessed, str(metric.scored), spent)
        rows.append((task, mode, *shown))
    return rows


def _share(metric: Metric) -> str:
    return "unscored" if metric.value is None else f"{metric.value:.3f}"


def _interval(metric: Metric) -> str:
    if metric.low is None or metric.high is None:
        return ""
    return f"{metric.low:.2f}-{metric.high:.2f}"
