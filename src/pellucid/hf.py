"""Registers Pellucid's classes with transformers; the only module that registers anything.

    import pellucid.hf
    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)

No remote code is involved: the classes are the installed ones. Importing it twice is harmless.
"""

from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
)

from pellucid.model.config import PellucidConfig
from pellucid.model.hf_processor import PellucidImageProcessor, PellucidProcessor
from pellucid.model.hf_published import (
    Phi4SiglipConfig,
    Phi4SiglipForConditionalGeneration,
    Phi4VisionRProcessor,
)
from pellucid.model.vlm import PellucidForConditionalGeneration

__all__: list[str] = []

AutoConfig.register(PellucidConfig.model_type, PellucidConfig, exist_ok=True)
AutoModelForImageTextToText.register(
    PellucidConfig, PellucidForConditionalGeneration, exist_ok=True
)
AutoImageProcessor.register(
    PellucidConfig, image_processor_classes={"pil": PellucidImageProcessor}, exist_ok=True
)
AutoProcessor.register(PellucidConfig, PellucidProcessor, exist_ok=True)

AutoConfig.register(Phi4SiglipConfig.model_type, Phi4SiglipConfig, exist_ok=True)
AutoModelForImageTextToText.register(
    Phi4SiglipConfig, Phi4SiglipForConditionalGeneration, exist_ok=True
)
AutoProcessor.register(Phi4SiglipConfig, Phi4VisionRProcessor, exist_ok=True)
