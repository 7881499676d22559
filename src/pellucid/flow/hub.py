"""A published model from the Hugging Face hub, at one commit, into the library's own cache.

Only what a recipe names is fetched, and of that only weights and descriptions: no code. Where the
hub cannot be reached, what lies in the cache is taken.
"""

from pathlib import Path

from pellucid.base.errors import Problem, UserError

_WANTED = ("*.json", "*.safetensors", "*.jinja")
"""Files that a model is read from."""


def fetch(name: str, revision: str) -> Path:
    """The folder of a model.

    Args:
        name: `owner/name`.
        revision: all 40 digits of a commit.

    Raises:
        UserError: the hub does not have it, does not give it, or cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_WANTED)))
    except GatedRepoError as error:
        fix = "ask for access on its page, then log in with `hf auth login`"
        raise _refused(name, revision, "is given to those alone who were let in", fix) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        fix = "check both on the model's page; a private one needs `hf auth login`"
        raise _refused(name, revision, "is not on the hub at this commit", fix) from error
    except LocalEntryNotFoundError as error:
        fix = "connect, or give the folder of a copy as model.path"
        rule = "is not on this machine, and the hub cannot be reached"
        raise _refused(name, revision, rule, fix) from error
    except HfHubHTTPError as error:
        said = " ".join(str(error).split())[:200]
        rule = f"could not be fetched: {said}"
        raise _refused(name, revision, rule, "try again: what has come is kept") from error


def _refused(name: str, revision: str, rule: str, fix: str) -> UserError:
    return UserError(Problem("model.hub", f"{name}@{revision}", rule, fix))
