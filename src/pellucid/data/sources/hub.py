"""Files of a dataset on a model hub: `hub:ORG/NAME@COMMIT/PATTERN`, fetched once, then local.

This is the only place of the data room that opens a connection, and only for a recipe or a command
that names a hub. Without a commit the newest one is taken, and its number is told.
"""

import re
from pathlib import Path

from pellucid.base.errors import Problem, UserError

HUB = "hub:"
_FORM = re.compile(r"hub:(?P<id>[\w.-]+/[\w.-]+)(@(?P<commit>[\w.-]+))?(/(?P<pattern>.+))?")


def fetched(address: str) -> Path:
    """The local folder or pattern of what an address names.

    Raises:
        UserError: the address has another form, or the hub does not give the files.
    """
    found = _FORM.fullmatch(address)
    if found is None:
        fix = "write hub:ORG/NAME@COMMIT/PATTERN, e.g. hub:org/set@main/data/*.parquet"
        raise UserError(Problem("path", address, "names no dataset on a hub", fix))
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    pattern = found["pattern"]
    try:
        folder = snapshot_download(
            found["id"],
            repo_type="dataset",
            revision=found["commit"],
            allow_patterns=[pattern] if pattern else None,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        told = " ".join(str(error).split())[:160]
        fix = "check the name and the connection, or fetch the files and name their folder"
        raise UserError(Problem("path", address, f"cannot be fetched: {told}", fix)) from error
    return Path(folder) / pattern if pattern else Path(folder)
