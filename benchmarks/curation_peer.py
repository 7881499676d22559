"""Data-Juicer's and datatrove's steps, for `curation.py`; runs in their own environment.

    python curation_peer.py STEP INPUT WORK PROCESSES

STEP is a row of `STEPS`. INPUT is a JSON lines file of `id` and `text`, or of `id` and `images`.
Writes WORK/told.json (Data-Juicer takes standard output for its log): seconds, the ids that are
kept, the settings and the versions. Of Data-Juicer the operators alone are timed, not its imports,
loading and export; of datatrove the executors, with reading and writing.
"""

import json
import os
import sys
import time
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

RULES = json.loads(Path(__file__).with_name("curation_rules.json").read_text("utf-8"))


class Clock:
    """Seconds of wall and of all cores, since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter(), sum(os.times()[:4])

    def told(self) -> dict[str, float]:
        """Both."""
        wall, cores = self._began
        return {
            "seconds": time.perf_counter() - wall, "cpu_seconds": sum(os.times()[:4]) - cores
        }  # fmt: skip


def juicer(process: list[dict[str, Any]], source: Path, work: Path, workers: int) -> dict[str, Any]:
    """Run operators of Data-Juicer as its own executor does, filters fused.

    A single operator is not: there is nothing to fuse, and its probe of a thousand rows takes time.
    """
    import yaml
    from data_juicer.config import init_configs
    from data_juicer.core.executor.default_executor import DefaultExecutor

    settings = {
        "np": workers, "op_fusion": len(process) > 1, "use_cache": False, "open_tracer": False,
        "open_monitor": False, "process": process,
    }  # fmt: skip
    places = {
        "project_name": "peer", "dataset_path": str(source), "work_dir": str(work / "work"),
        "export_path": str(work / "kept.jsonl"),
    }  # fmt: skip
    work.mkdir(parents=True, exist_ok=True)
    (work / "config.yaml").write_text(yaml.safe_dump(settings | places), "utf-8")
    executor = DefaultExecutor(init_configs(["--config", str(work / "config.yaml")]))
    rows = executor.dataset_builder.load_dataset()
    clock = Clock()
    kept = executor.run(dataset=rows, skip_export=True)
    took = clock.told()
    named = {"Data-Juicer": version("py-data-juicer"), "datasets": version("datasets")}
    return {**took, "kept": list(kept["id"]), "settings": settings, "versions": named}


def juicer_filters(source: Path, work: Path, workers: int) -> dict[str, Any]:
    """Its text filters, with the bounds of the rules."""
    return juicer([{name: told} for name, told in RULES["juicer"].items()], source, work, workers)


def juicer_minhash(source: Path, work: Path, workers: int) -> dict[str, Any]:
    """MinHash with the bands that all three get."""
    own = {"document_minhash_deduplicator": RULES["juicer_minhash"]}
    return juicer([own], source, work, workers)


def juicer_images(source: Path, work: Path, workers: int) -> dict[str, Any]:
    """Equal 64-bit perceptual hashes. The hashes are imagededup's.

    imagededup imports its neural network (torchvision) and its plots together with its hashes;
    these three modules of it are left out, none of which a hash uses.
    """
    for name in ("methods.cnn", "utils.models", "utils.plotter"):
        empty: Any = types.ModuleType(f"imagededup.{name}")
        empty.CNN = empty.CustomModel = empty.plot_duplicates = None
        sys.modules[f"imagededup.{name}"] = empty
    found = juicer([{"image_deduplicator": RULES["juicer_images"]}], source, work, workers)
    found["versions"]["imagededup"] = version("imagededup")
    return found


def trove(stages: list[tuple[list[Any], int]], work: Path, workers: int) -> dict[str, float]:
    """Run stages one after the other; what they took. Forked tasks begin sooner than spawned."""
    from datatrove.executor import LocalPipelineExecutor

    clock = Clock()
    for number, (stage, tasks) in enumerate(stages):
        logs = str(work / f"logs-{number}")
        LocalPipelineExecutor(
            stage, tasks=tasks, workers=workers, logging_dir=logs, start_method="fork"
        ).run()
    return clock.told()


def trove_told(took: dict[str, float], settings: Any, work: Path) -> dict[str, Any]:
    """What a run of datatrove kept."""
    paths = sorted((work / "kept").glob("*.jsonl"))
    lines = (line for path in paths for line in path.read_text("utf-8").splitlines())
    kept = [json.loads(line)["id"] for line in lines]
    named = {name: version(name) for name in ("datatrove", "spacy")}
    return {**took, "kept": kept, "settings": settings, "versions": named}


def trove_filters(source: Path, work: Path, workers: int, spaces: bool = False) -> dict[str, Any]:
    """Gopher's filters, with the bounds of the rules.

    Args:
        source: JSON lines files, one for each task.
        work: an empty folder.
        workers: tasks at a time.
        spaces: words as Python's `str.split` gives them, in place of spaCy's tokenizer: faster than
            anything that datatrove has, and the same words as ours.
    """
    from datatrove.pipeline.filters import (
        GopherQualityFilter,
        GopherRepetitionFilter,
        gopher_quality_filter,
        gopher_repetition_filter,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    if spaces:
        for module in (gopher_quality_filter, gopher_repetition_filter):
            module.split_into_words = lambda text, language: text.split()
    stage = [
        JsonlReader(str(source)),
        GopherQualityFilter(**RULES["gopher_quality"]),
        GopherRepetitionFilter(**RULES["gopher_repetition"]),
        JsonlWriter(str(work / "kept"), compression=None),
    ]
    told = {"workers": workers, "words": "str.split" if spaces else "spaCy, language eng"}
    told |= {name: RULES[name] for name in ("gopher_quality", "gopher_repetition")}
    return trove_told(trove([(stage, workers)], work, workers), told, work)


def trove_filters_by_spaces(source: Path, work: Path, workers: int) -> dict[str, Any]:
    """The same with words parted by spaces."""
    return trove_filters(source, work, workers, spaces=True)


def trove_minhash(source: Path, work: Path, workers: int) -> dict[str, Any]:
    """The four stages of MinHash."""
    from datatrove.pipeline.dedup import MinhashDedupSignature
    from datatrove.pipeline.dedup.minhash import (
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter
    from datatrove.utils.hashing import HashConfig

    config = MinhashConfig(hash_config=HashConfig(precision=64), **RULES["trove_minhash"])
    signatures, buckets, remove = (str(work / name) for name in ("signatures", "buckets", "remove"))
    read = JsonlReader(str(source))
    stages = [
        ([read, MinhashDedupSignature(signatures, config=config, language="eng")], workers),
        ([MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets),
        ([MinhashDedupCluster(buckets, remove, config=config)], 1),
        (
            [read, MinhashDedupFilter(remove), JsonlWriter(str(work / "kept"), compression=None)],
            workers,
        ),
    ]
    told = {"workers": workers, "precision": 64, "language": "eng", **RULES["trove_minhash"]}
    return trove_told(trove(stages, work, workers), told, work)


STEPS = {
    "juicer_filters": juicer_filters,
    "juicer_minhash": juicer_minhash,
    "juicer_images": juicer_images,
    "trove_filters": trove_filters,
    "trove_filters_by_spaces": trove_filters_by_spaces,
    "trove_minhash": trove_minhash,
}


if __name__ == "__main__":
    step, source, work, workers = sys.argv[1:]
    found = STEPS[step](Path(source), Path(work), int(workers))
    (Path(work) / "told.json").write_text(json.dumps(found), "utf-8")
