"""What the tests of BLIP, CapFilt and BLIP-2 share: random weights as transformers itself saves them."""

from __future__ import annotations

from pathlib import Path

import torch

from filters.towers import torchvision_ops

torchvision_ops.ensure()
from transformers import (  # noqa: E402  after `ensure`
    Blip2Config,
    Blip2ForImageTextRetrieval,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForImageTextRetrieval,
)

WORDS = ["small", "large", "left", "right", "effusion", "no", "acute", "the", "heart", "is", "normal", ".", "##s"]
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
          "image_size": 32, "patch_size": 8, "initializer_range": 0.2}  # fmt: skip
TEXT = {"vocab_size": 24, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 40, "initializer_range": 0.2}  # fmt: skip


def write_vocabulary(folder: Path) -> None:
    """BERT's vocab.txt, as the checkpoints of both BLIPs bring it."""
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")


def blip_checkpoints(folder: Path) -> tuple[Path, Path]:
    """A judge and a captioner with image encoders of their own, saved by transformers."""
    torch.manual_seed(3)
    text = TEXT | {"bos_token_id": 20, "sep_token_id": 3, "eos_token_id": 2, "pad_token_id": 0}
    config = BlipConfig(text_config=text, vision_config=VISION, image_text_hidden_size=16, initializer_range=0.2)
    judge, writer = folder / "judge", folder / "writer"
    BlipForImageTextRetrieval(config).save_pretrained(judge)
    BlipForConditionalGeneration(config).save_pretrained(writer)
    write_vocabulary(judge)
    return judge, writer


def blip2_checkpoint(folder: Path) -> Path:
    """A Blip2ForImageTextRetrieval saved by transformers; its queries are drawn, which transformers leaves at zero."""
    torch.manual_seed(4)
    reader = TEXT | {"use_qformer_text_input": True, "hidden_dropout_prob": 0.0}
    config = Blip2Config(
        qformer_config=reader, vision_config=VISION, num_query_tokens=5, image_text_hidden_size=16,
        initializer_range=0.2,
    )  # fmt: skip
    model = Blip2ForImageTextRetrieval(config)
    torch.nn.init.normal_(model.query_tokens)
    model.save_pretrained(folder)
    write_vocabulary(folder)
    return folder
