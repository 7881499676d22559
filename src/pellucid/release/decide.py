"""The gate's decision: pure, from a policy and metrics to a verdict.

Leaves out on purpose: reading reports, writing evidence, moving aliases. Equal arguments give an
equal verdict, so a verdict can be checked from its bundle alone.
"""

from pellucid.base.hashing import hash_json
from pellucid.recipe.release import Check, ReleaseOptions, metrics_of, pair_of
from pellucid.release.checks import CHECKS, OVERLAP, Metrics, Pairs
from pellucid.schema.verdict import CheckResult, Outcome, Verdict

FINAL = "final"
_Pair = tuple[str, str]


def decide(
    options: ReleaseOptions,
    metrics: Metrics,
    pairs: Pairs,
    policy_hash: str,
    final: str = FINAL,
) -> Verdict:
    """Run every check of a policy.

    Args:
        options: the policy.
        metrics: everything measured, by id.
        pairs: paired differences, by (new id, baseline id), ids as in `metrics`.
        policy_hash: hash of the policy, kept in the verdict (see `hash_policy`).
        final: name of the last checkpoint, which `eval.final.*` in the policy stands for.

    Returns:
        FAIL when a check fails, else INCONCLUSIVE when one is undecided, else PASS.
    """
    results = tuple(
        _run(name, resolve_final(check, final), metrics, pairs)
        for name, check in options.checks.items()
    )
    return Verdict(_worst(results), results, policy_hash)


def metrics_read(options: ReleaseOptions, final: str = FINAL) -> tuple[list[str], list[_Pair]]:
    """Ids of the metrics and of the pairs that a policy reads, sorted, `final` resolved."""
    ids: set[str] = set()
    pairs: set[_Pair] = set()
    for check in options.checks.values():
        named = resolve_final(check, final)
        ids.update(metrics_of(named).values())
        if named.kind == "no_overlap":
            ids.add(OVERLAP)
        pair = pair_of(named)
        if pair:
            pairs.add(pair)
    return sorted(ids), sorted(pairs)


def resolve_final(check: Check, final: str) -> Check:
    """The check with `eval.final.` spelt as the checkpoint that it stands for."""
    told = {field: _resolve(metric, final) for field, metric in metrics_of(check).items()}
    return check.model_copy(update=told)


def hash_policy(options: ReleaseOptions) -> str:
    """Hash of the release slice of a recipe."""
    return hash_json(options.model_dump(mode="json"))


def _run(name: str, check: Check, metrics: Metrics, pairs: Pairs) -> CheckResult:
    return CHECKS[check.kind](name, check, metrics, pairs)


def _resolve(metric: str, final: str) -> str:
    head = f"eval.{FINAL}."
    return f"eval.{final}.{metric.removeprefix(head)}" if metric.startswith(head) else metric


def _worst(results: tuple[CheckResult, ...]) -> Outcome:
    outcomes = {result.outcome for result in results}
    if "FAIL" in outcomes:
        return "FAIL"
    return "PASS" if outcomes == {"PASS"} else "INCONCLUSIVE"
