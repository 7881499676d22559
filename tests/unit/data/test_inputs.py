"""A finished import notices pictures that changed; equal bytes under a new time are no change."""

import json
import os
from pathlib import Path

import pytest
from tests.unit.data.stores import llava, png, write_rows

from pellucid.base.errors import UserError
from pellucid.data import inputs
from pellucid.data.build import import_source
from pellucid.recipe.rows import LlavaJsonSource


def source(file: Path, **told: object) -> LlavaJsonSource:
    given = {"path": str(file), "dataset": "own", "licence": "MIT", **told}
    return LlavaJsonSource.model_validate(given)


def test_a_changed_picture_is_noticed(tmp_path: Path) -> None:
    options = source(write_rows(tmp_path / "in", [llava(n) for n in range(4)]))
    picture, folder = tmp_path / "in" / "2.png", tmp_path / "store"
    assert import_source(options, 0, folder)
    assert not import_source(options, 0, folder)
    before, data = picture.stat(), picture.read_bytes()
    picture.write_bytes(png(77))
    with pytest.raises(UserError, match=r"2\.png' has changed since it was imported;"):
        import_source(options, 0, folder)
    picture.write_bytes(data)
    os.utime(picture, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    assert not import_source(options, 0, folder), "the bytes are what they were"
    picture.unlink()
    (tmp_path / "in" / "3.png").unlink()
    with pytest.raises(UserError, match=r"2\.png' is gone since it was imported \(and 1 more\)"):
        import_source(options, 0, folder)
    assert (folder / "store.json").is_file(), "what is finished stays"


def test_a_faulty_picture_that_was_mended_is_noticed(tmp_path: Path) -> None:
    """The store left its row out; made again, it would not."""
    rows = [llava(n) for n in range(3)]
    file, folder = write_rows(tmp_path / "in", rows), tmp_path / "store"
    (tmp_path / "in" / "1.png").unlink()
    (tmp_path / "in" / "2.png").write_bytes(b"no picture")
    options = source(file, on_fault="drop")
    import_source(options, 0, folder)
    assert not import_source(options, 0, folder)
    (tmp_path / "in" / "1.png").write_bytes(png(1))
    with pytest.raises(UserError, match=r"1\.png' has changed"):
        import_source(options, 0, folder)
    (tmp_path / "in" / "1.png").unlink()
    (tmp_path / "in" / "2.png").write_bytes(png(2))
    with pytest.raises(UserError, match=r"2\.png' has changed"):
        import_source(options, 0, folder)


def test_pictures_that_lie_elsewhere_now_are_compared_by_their_bytes(tmp_path: Path) -> None:
    file, folder = write_rows(tmp_path / "in", [llava(1)]), tmp_path / "store"
    import_source(source(file), 0, folder)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.png").write_bytes((tmp_path / "in" / "1.png").read_bytes())
    moved = source(file, image_folder=str(tmp_path / "other"))
    assert not import_source(moved, 0, folder)
    (tmp_path / "other" / "1.png").write_bytes(png(9))
    with pytest.raises(UserError, match="has changed"):
        import_source(moved, 0, folder)


def test_a_picture_that_changed_before_the_end_stops_the_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a shard that is written already: nothing reads it again but the end."""
    file, folder = write_rows(tmp_path / "in", [llava(n) for n in range(3)]), tmp_path / "store"
    remember = inputs.remember

    def late(found: object, images: Path, store: Path) -> None:
        (images / "0.png").write_bytes(png(55))
        remember(found, images, store)  # type: ignore[arg-type]

    monkeypatch.setattr("pellucid.data.imports.remember", late)
    with pytest.raises(UserError, match=r"0\.png' changed while it was imported"):
        import_source(source(file), 0, folder)
    assert not folder.exists(), "what is refused leaves nothing in the way"


def test_a_store_of_an_older_version_is_taken_as_it_is(tmp_path: Path) -> None:
    file, folder = write_rows(tmp_path / "in", [llava(1)]), tmp_path / "store"
    import_source(source(file), 0, folder)
    (folder / inputs.PICTURES).unlink()
    assert not import_source(source(file), 0, folder)
    (folder / inputs.IMPORT).write_text(json.dumps([]), encoding="utf-8")
    with pytest.raises(UserError, match=r"import\.json' cannot be read"):
        inputs.read_import(folder)
