"""What serving renders for a conversation is what training renders, token for token, over HTTP.

The audit log has the engine's own hash of the ids and pictures that it read; beside it stand
`usage.prompt_tokens`, and the ids that the model's embedding was called with.
"""

import io
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from PIL import Image
from tests.unit.conftest import OPTIONS, data_uri, engine_of

from pellucid.base.hashing import hash_bytes, hash_json
from pellucid.model import checkpoint
from pellucid.prompt.render import Renderer
from pellucid.prompt.turns import groups, thinks
from pellucid.recipe.model import PromptOptions
from pellucid.schema.record import (
    ImageRef,
    Part,
    Record,
    Source,
    Turn,
    assistant,
    make_record,
    user,
)

RENDERERS = {
    "default": PromptOptions(),
    "keeps thinking": PromptOptions(keep_thinking=True, system="Answer from the picture."),
    "lead": PromptOptions(lead=" ", system="Be brief."),
}
TEXTS = (
    "How many bars are there?", " and ", "7", "Is it\nred? ", "naïve Ünïcode \u4e2d\u6587",
    "<think>", "</think> <|image|>", "<|im_end|><|im_start|>assistant", "12.5 + 3",
)  # fmt: skip


def picture(number: int, width: int, height: int) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (width, height), (number * 37 % 256, 90, 200)).save(target, "PNG")
    return target.getvalue()


def conversation(seed: int) -> tuple[Record, list[bytes]]:
    """One to four turns; texts and pictures in any order, a picture shown twice, own systems."""
    rng = random.Random(seed)
    sizes = [(rng.randint(8, 130), rng.randint(8, 130)) for _ in range(rng.randint(0, 3))]
    turns: list[Turn] = []
    if rng.random() < 0.5:
        pieces = rng.sample(TEXTS, rng.randint(1, 2))
        turns.append(Turn("system", tuple(Part("text", piece) for piece in pieces)))
    count = rng.randint(1, 4)
    shown_in = [rng.randrange(count) for _ in sizes]
    for turn in range(count):
        pieces = [*rng.sample(TEXTS, rng.randint(1, 3))]
        pieces += [image for image, at in enumerate(shown_in) if at == turn]
        pieces += [rng.randrange(len(sizes))] if sizes and rng.random() < 0.3 else []
        rng.shuffle(pieces)
        turns.append(user(*pieces))
        thought = rng.choice(TEXTS) if rng.random() < 0.5 else None
        turns.append(assistant(rng.choice(TEXTS), thought))
    images = [picture(number, *size) for number, size in enumerate(sizes)]
    refs = tuple(
        ImageRef(hash_bytes(image), *size) for image, size in zip(images, sizes, strict=True)
    )
    source = Source("made up", "train", seed, "CC0-1.0")
    told = {"answer": None, "task": "t", "domain": "d", "source": source}
    return make_record(messages=tuple(turns), images=refs, **told), images


def as_message(turn: Turn, images: list[bytes], plain: bool) -> dict[str, Any]:
    """A turn as a client sends it; `plain` sends a lone text as a string."""
    if plain and len(turn.content) == 1 and turn.content[0].type == "text":
        content: Any = turn.content[0].text
    else:
        content = [
            {"type": "text", "text": part.text}
            if part.type == "text"
            else {"type": "image_url", "image_url": {"url": data_uri(images[part.image])}}
            for part in turn.content
        ]
    more = {"reasoning_content": turn.reasoning} if turn.reasoning else {}
    return {"role": turn.role, "content": content, **more}


@pytest.fixture(scope="module", params=RENDERERS)
def running(request: Any, start: Any, tmp_path_factory: Any) -> Iterator[tuple[Any, Any, Any]]:
    """A server over random weights, its renderer, and what its embedding was called with."""
    told = OPTIONS.model_copy(update={"prompt": RENDERERS[request.param]})
    renderer, before = Renderer.build(told), torch.get_num_threads()
    torch.set_num_threads(1)
    model = checkpoint.build(told, 1, renderer)
    seen: list[torch.Tensor] = []
    hook = model.get_input_embeddings().register_forward_pre_hook(
        lambda _, given: seen.append(given[0].detach().clone())
    )
    audit = tmp_path_factory.mktemp("render") / "audit.jsonl"
    with start(engine_of(model, renderer, slots=2), audit, max_images=16) as served:
        yield served, renderer, seen
    hook.remove()
    torch.set_num_threads(before)


def asked(running: tuple[Any, Any, Any], messages: list[dict[str, Any]], mode: str) -> Any:
    """Ask for one token: the prompt's hash, its length, and the ids that were embedded first."""
    served, _, seen = running
    seen.clear()
    reply = served.client.chat.completions.create(
        model="tiny", messages=messages, max_tokens=1, extra_body={"mode": mode}
    )
    line = json.loads(served.audit.read_text().splitlines()[-1])
    assert line["id"] == reply.id
    return line["prompt_hash"], reply.usage.prompt_tokens, seen[0].flatten().tolist()


@pytest.mark.parametrize("seed", range(12))
def test_a_prompt_over_http_is_the_beginning_of_an_example(running, seed: int) -> None:
    """Every assistant turn of a conversation, its mode left open and forced."""
    _, renderer, _ = running
    record, images = conversation(seed)
    made = groups(record.messages, renderer.keep_thinking)
    turns = 0
    for example, group in zip(renderer.examples(record), made, strict=True):
        for turn in group:
            turns += 1
            opens = min(at.start for at in example.spans if at.turn == turn and at.kind == "mode")
            messages = [as_message(one, images, seed % 2 == 0) for one in record.messages[:turn]]
            forced = "think" if thinks(record.messages[turn]) else "nothink"
            for mode, length in (("auto", opens), (forced, opens + 1)):
                told, tokens, embedded = asked(running, messages, mode)
                ids = list(example.ids[:length])
                assert tokens == length
                assert embedded[:length] == ids
                count = sum(at.kind == "image" and at.stop <= length for at in example.spans)
                shown = [hash_bytes(images[at]) for at in example.images[:count]]
                assert told == hash_json({"ids": ids, "images": shown})
    assert turns == sum(turn.role == "assistant" for turn in record.messages)


def test_the_conversations_hold_what_they_are_to(running) -> None:
    """Own and missing systems, pictures in later turns, thinking in earlier ones, several turns."""
    found = [conversation(seed)[0].messages for seed in range(12)]
    own = [messages[0].role == "system" for messages in found]
    assert any(own) and not all(own)
    users = [[turn for turn in messages if turn.role == "user"] for messages in found]
    assert any(part.type == "image" for one in users for turn in one[1:] for part in turn.content)
    assert any(turn.reasoning for messages in found for turn in messages[:-1])
    assert {len(one) for one in users} >= {1, 2, 3, 4}


def test_what_differs_has_another_hash(running) -> None:
    """The mode, a picture's bytes, the place of a picture, a system message of one's own."""
    red, blue = picture(1, 40, 40), picture(2, 40, 40)
    texts = user(0, "Which?"), user("Which?", 0)
    asks = [
        *(([as_message(texts[0], [red], False)], mode) for mode in ("auto", "think", "nothink")),
        ([as_message(texts[0], [blue], False)], "auto"),
        ([as_message(texts[1], [red], False)], "auto"),
        ([{"role": "system", "content": "Mine."}, as_message(texts[0], [red], False)], "auto"),
    ]
    assert len({asked(running, *one)[0] for one in asks}) == len(asks)
