"""What a peer needs for its first step, run in the peer's environment by `startup.py`.

`prepare FOLDER` makes a tiny random Llama, its tokenizer, rows and settings; `trl FOLDER` trains it
with TRL's SFTTrainer.
"""

import json
import sys
from pathlib import Path

ROWS = 64


def prepare(folder: Path) -> None:
    """Write `model/`, `rows.json`, `dataset_info.json` and `train.yaml`."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    texts = [f"What is {n} plus {n}? It is {2 * n}." for n in range(ROWS)]
    inner = Tokenizer(models.BPE(unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel()
    special = ["<unk>", "<s>", "</s>", "<pad>"]
    inner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>",
        pad_token="<pad>",
    )  # fmt: skip
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=256,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    rows = [
        {"instruction": text.split("? ")[0] + "?", "input": "", "output": text.split("? ")[1]}
        for text in texts
    ]
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    told = {"rows": {"file_name": "rows.json"}}
    (folder / "dataset_info.json").write_text(json.dumps(told), encoding="utf-8")
    settings = {
        "model_name_or_path": str(folder / "model"), "stage": "sft", "do_train": True,
        "finetuning_type": "full", "dataset": "rows", "dataset_dir": str(folder),
        "template": "default", "cutoff_len": 128, "output_dir": str(folder / "out"),
        "logging_steps": 1, "max_steps": 20, "per_device_train_batch_size": 8, "report_to": "none",
        "use_cpu": True, "save_strategy": "no",
    }  # fmt: skip
    (folder / "train.yaml").write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML


def trl(folder: Path) -> None:
    """Train; the first logged step is written where LLaMA-Factory writes its own."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    rows = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    data = Dataset.from_list([{"text": f"{row['instruction']} {row['output']}"} for row in rows])

    class Log(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):  # noqa: ANN001, ANN003, ANN201
            with (folder / "out" / "trainer_log.jsonl").open("a") as log:
                log.write(json.dumps({"step": state.global_step}) + "\n")

    (folder / "out").mkdir(exist_ok=True)
    settings = SFTConfig(
        output_dir=str(folder / "out"), max_steps=20, per_device_train_batch_size=8,
        report_to="none", use_cpu=True, save_strategy="no", max_length=128, bf16=False,
    )  # fmt: skip
    model = str(folder / "model")
    SFTTrainer(model, args=settings, train_dataset=data, callbacks=[Log()]).train()


if __name__ == "__main__":
    {"prepare": prepare, "trl": trl}[sys.argv[1]](Path(sys.argv[2]))
