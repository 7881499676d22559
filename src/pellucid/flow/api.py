"""The same nouns from Python: run a recipe, load a model and ask it.

    import pellucid

    summary = pellucid.run("smoke")
    model = pellucid.load("smoke")
    print(model.answer("How many bars are there?", "chart.png").answer)

Leaves out on purpose: conversations (`flow.chat`), endpoints (`serve`), and printing.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

from pellucid.base.errors import Problem, UserError, boundary
from pellucid.flow.run import Selection
from pellucid.flow.run import run as run_jobs
from pellucid.flow.summary import Summary, summarise
from pellucid.recipe import load as load_recipe
from pellucid.schema.record import Mode
from pellucid.schema.rollout import Rollout

if TYPE_CHECKING:
    from pellucid.flow.chat import Conversation

HOME = Path("runs")

Picture = str | Path | bytes
"""A file, or an encoded picture."""


def run(
    recipe: str | Path,
    *,
    sets: Mapping[str, object] | None = None,
    home: str | Path = HOME,
    only: Sequence[str] = (),
    force: bool = False,
    track: Sequence[str] = (),
) -> Summary:
    """Run a recipe from data to report; finished jobs are skipped, a killed one goes on.

    Args:
        recipe: a shipped recipe's name, or a YAML file.
        sets: fields to override, by dotted name.
        home: the workspace folder.
        only: do only these jobs or types of job.
        force: do the selected jobs again although they are done.
        track: `tensorboard`, `mlflow` or `wandb`, with `:WHERE` where the usual place will not do.

    Returns:
        Reports, verdict and artifacts of the run, and where its page is.

    Raises:
        UserError: the recipe cannot do what it says, or its data is bad.
    """
    given = [f"{name}={_yaml(value)}" for name, value in (sets or {}).items()]
    selection = Selection(tuple(only), "", force)
    return summarise(run_jobs(load_recipe(str(recipe), given), Path(home), selection, track))


def _yaml(value: object) -> str:
    """A value as `--set` reads it; a text stands for itself."""
    if isinstance(value, str | Path):
        return str(value)
    return json.dumps(value)


@final
class Model:
    """A model on this machine, ready to be asked. Made by `load`."""

    def __init__(self, conversation: "Conversation") -> None:
        """A model that answers in a conversation which keeps nothing."""
        self._conversation = conversation

    def answer(
        self,
        text: str,
        image: Picture | Sequence[Picture] = (),
        *,
        mode: Mode = "auto",
        max_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Rollout:
        """Answer one question. Each call stands by itself.

        Args:
            text: the question.
            image: pictures that stand before it: files, or encoded pictures.
            mode: think, nothink, or auto to let the model choose.
            max_tokens: longest answer; one that is cut has the outcome `truncated`.
            temperature: 0 is greedy.
            seed: of sampled answers.

        Returns:
            The rollout: `answer`, `thinking`, `chosen` mode, `outcome`, tokens with their
            log-probabilities. `answer` is None where there is none.

        Raises:
            UserError: the question is empty or too long, or a picture is not one.
            DiskError: a picture cannot be read.
        """
        from pellucid.flow.chat import Settings, read_picture

        given = [image] if isinstance(image, (str, Path, bytes)) else list(image)
        with boundary("reading"):
            pictures = [one if isinstance(one, bytes) else read_picture(Path(one)) for one in given]
        settings = Settings(mode, max_tokens, temperature, seed)
        rollout = self._conversation.ask(text, pictures, settings).rollout()
        if rollout.finish_reason == "error":
            fix = "ask something shorter, or give another picture"
            raise UserError(Problem("question", text, f"cannot be asked: {rollout.error}", fix))
        return rollout


def load(model: str | Path, *, home: str | Path = HOME, context_tokens: int | None = None) -> Model:
    """Load a model.

    Args:
        model: a name in the catalog of the workspace, or a checkpoint folder.
        home: the workspace folder.
        context_tokens: longest conversation; the model's own, but at most 8,192, when None.

    Raises:
        UserError: there is no such model, or its checkpoint is damaged.
    """
    from pellucid.flow.chat import open_conversation

    return Model(open_conversation(str(model), Path(home), context_tokens))
