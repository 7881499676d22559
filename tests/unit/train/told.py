"""What each process runs in `test_together`: one training, told by the first to the others."""

import json
import sys
from pathlib import Path

from pellucid.base.errors import PellucidError
from pellucid.base.launch import place
from pellucid.flow import together
from pellucid.recipe.train import Stage

told = json.loads(sys.argv[1])
try:
    if together.first():
        with together.leading():
            together.train(
                together.Training(
                    Stage.model_validate(told["stage"]),
                    Path(told["mix"]),
                    ((Path(told["data"]), "hash"),),
                    Path(told["model"]),
                    Path(told["folder"]),
                    3,
                    "cpu",
                    "float32",
                    None,
                    "none",
                )  # fmt: skip
            )
    else:
        together.follow()
except PellucidError as error:
    sys.stderr.write(f"rank {place().rank}: {error}\n")
    sys.exit(2)
