"""MLflow: a run of the experiment `pellucid` on a tracking server.

Where: the server's address; MLflow's own MLFLOW_TRACKING_URI when empty. The client alone
(`mlflow-skinny`) is enough; its telemetry is off.
"""

import os
import re
import time
from typing import Any, final

from pellucid.base.errors import Problem, UserError
from pellucid.flow.trackers.base import About, Tracker, Values, package

EXPERIMENT = "pellucid"
_LONGEST = 500
"""Letters of a parameter that every server takes."""


_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "10"}
"""A server that is gone must not hold a run up; what the user sets stays."""
_REFUSED = re.compile(r"[^A-Za-z0-9_\-. :/]")
"""What a name on a server may not hold."""
_AT_ONCE = 100
"""Values that every server takes in one request."""


@final
class _Mlflow:
    def __init__(self, client: Any, run: str) -> None:
        self._client, self._run = client, run

    def line(self, job: str, step: int, values: Values) -> None:
        self._send({f"{job}.{name}": value for name, value in values.items()}, step)

    def numbers(self, values: Values) -> None:
        self._send(values, 0)

    def _send(self, values: Values, step: int) -> None:
        metric, now = package("mlflow", "mlflow.entities").Metric, int(1000 * time.time())
        told = [metric(_name(name), value, now, step) for name, value in values.items()]
        for start in range(0, len(told), _AT_ONCE):
            self._client.log_batch(self._run, metrics=told[start : start + _AT_ONCE])

    def close(self, failed: bool) -> None:
        self._client.set_terminated(self._run, "FAILED" if failed else "FINISHED")


def _name(name: str) -> str:
    """A name that a server takes.

    >>> _name("eval.final.own.auto.domain-real%20world.accuracy")
    'eval.final.own.auto.domain-real_20world.accuracy'
    """
    return _REFUSED.sub("_", name)


def connect(about: About, where: str) -> Tracker:
    """A new run on the server.

    Raises:
        UserError: mlflow is not installed, or no server is named.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # before it is imported
    for name, least in _PATIENCE.items():
        os.environ.setdefault(name, least)
    uri = where or os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        fix = "give --track mlflow:http://host:5000, or set MLFLOW_TRACKING_URI"
        raise UserError(Problem("--track", "mlflow", "names no server", fix))
    client = package("mlflow", "mlflow.tracking").MlflowClient(tracking_uri=uri)
    known = client.get_experiment_by_name(EXPERIMENT)
    experiment = known.experiment_id if known else client.create_experiment(EXPERIMENT)
    run: str = client.create_run(experiment, run_name=about.name).info.run_id
    param = package("mlflow", "mlflow.entities").Param
    told = [param(_name(name), value[:_LONGEST]) for name, value in about.settings.items()]
    for start in range(0, len(told), _AT_ONCE):
        client.log_batch(run, params=told[start : start + _AT_ONCE])
    return _Mlflow(client, run)
