"""The renderer's files: nothing lost, nothing random, damage is one clear error."""

import json

import pytest

from pellucid.base.errors import DiskError, UserError
from pellucid.prompt import Renderer
from pellucid.prompt.folder import FILES
from pellucid.recipe.model import (
    BuildModel,
    DecoderOptions,
    DynamicImages,
    PromptOptions,
    VisionOptions,
)


def options(**prompt) -> BuildModel:
    return BuildModel(
        images=DynamicImages(min_patches=9, max_patches=99),
        vision=VisionOptions(width=16, layers=2, heads=2, mlp_width=16, patch_px=14),
        decoder=DecoderOptions(width=16, layers=1, heads=2, kv_heads=1, mlp_width=16),
        prompt=PromptOptions(**prompt),
    )


def test_saving_and_loading_loses_nothing(tmp_path):
    built = Renderer.build(options(system='Be "brief".\n', keep_thinking=True))
    built.save(tmp_path / "a")
    loaded = Renderer.load(tmp_path / "a")
    assert loaded.hash == built.hash
    assert (loaded.images, loaded.patch_px) == (built.images, 14)
    assert (loaded.system, loaded.keep_thinking) == ('Be "brief".\n', True)
    loaded.save(tmp_path / "b")
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(FILES)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_everything_that_decides_ids_is_in_the_hash(tmp_path, tokenizer):
    base = options()
    changed = [
        options(system="x"),
        options(keep_thinking=True),
        base.model_copy(update={"images": DynamicImages(min_patches=9, max_patches=98)}),
        base.model_copy(update={"vision": base.vision.model_copy(update={"patch_px": 16})}),
    ]
    hashes = {Renderer.build(item).hash for item in (base, *changed)}
    assert len(hashes) == 5
    tree = json.loads(tokenizer.source)
    tree["model"]["merges"].pop()
    (tmp_path / "t.json").write_text(json.dumps(tree))
    other = Renderer.build(options(tokenizer=str(tmp_path / "t.json")))
    assert other.hash not in hashes


def test_the_hash_does_not_depend_on_layout(tmp_path, tokenizer):
    (tmp_path / "t.json").write_text(json.dumps(json.loads(tokenizer.source)))
    other = Renderer.build(options(tokenizer=str(tmp_path / "t.json")))
    assert other.hash == Renderer.build(options()).hash


def test_a_tokenizer_without_the_control_strings_is_refused(tmp_path, tokenizer):
    source = tokenizer.source.replace(b"<nothink>", b"<notthink>")
    (tmp_path / "t.json").write_bytes(source)
    with pytest.raises(UserError, match="tokenizer='<nothink>' is not a control token; did you me"):
        Renderer.build(options(tokenizer=str(tmp_path / "t.json")))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path, renderer, name):
    renderer.save(tmp_path)
    (tmp_path / name).unlink()
    if name in ("chat_template.jinja", "tokenizer_config.json"):
        assert Renderer.load(tmp_path).hash == renderer.hash
    else:
        with pytest.raises(DiskError, match=f"{name}.*no such file"):
            Renderer.load(tmp_path)


def test_a_damaged_file_is_named_with_its_field(tmp_path, renderer):
    renderer.save(tmp_path)
    path = tmp_path / "processor_config.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "keep_thinking": "maybe", "added_by_others": 1}))
    with pytest.raises(UserError, match="processor_config.json: keep_thinking='maybe' is refused"):
        Renderer.load(tmp_path)
    path.write_text("{")
    with pytest.raises(UserError, match="processor_config.json: file='{' is refused: Invalid JSON"):
        Renderer.load(tmp_path)
