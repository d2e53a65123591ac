"""A folder as transformers' ``save_pretrained`` and its hub write it: configuration, weights, tokenizer, pixels.

Weights are read by `filters.towers.weights` alone, which runs no code, and handed to transformers, which knows the
names that older versions gave them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError

from curate.errors import RecipeError
from filters.towers.architectures import TOKENIZER_FILES
from filters.towers.torchvision_ops import ensure
from filters.towers.weights import State, check_finite, read_folder, read_object, write_object

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
_CLIP_WORDS = 49408  # of CLIP's byte-pair vocabulary, which open_clip has with it


@dataclass(frozen=True)
class Picture:
    """What `filters.towers.encoder.Filter` asks of a vision tower; mean and deviation of pixels in 0..1."""

    image_size: int
    image_mean: list[float]
    image_std: list[float]

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised float32[n, 3, h, w] of uint8 or float [n, 1 or 3, h, w] in 0..255, on the device it is on."""
        statistics = torch.tensor([self.image_mean, self.image_std], device=pixels.device) * 255
        mean, std = statistics.reshape(2, 1, 3, 1, 1)
        return torch.as_tensor((pixels.float() - mean) / std)

    def write(self, folder: Path) -> None:
        """preprocessor_config.json, in transformers' words where it has them."""
        content = {
            "image_mean": self.image_mean,
            "image_std": self.image_std,
            "size": {"height": self.image_size, "width": self.image_size},
            "do_rescale": True,
            "rescale_factor": 1 / 255,
            "radsift_geometry": "longest side resized, padded with 0; 16 bit: least to greatest value",
        }
        write_object(folder / "preprocessor_config.json", content)

    @classmethod
    def read(cls, folder: Path | None, side: int) -> Picture:
        """Of the folder's preprocessor_config.json; CLIP's statistics where it says none."""
        content = {} if folder is None else read_preprocessor(folder)
        return cls(side, list(content.get("image_mean", CLIP_MEAN)), list(content.get("image_std", CLIP_STD)))


def read_model_config(folder: Path) -> dict[str, Any] | None:
    """config.json with the ``model_type`` of a transformers model; None where there is none."""
    config = read_object(folder / "config.json")
    return config if config is not None and isinstance(config.get("model_type"), str) else None


def read_config(kind: Any, folder: Path, name: str = "config.json") -> Any:
    """transformers' configuration of class ``kind``; RecipeError naming the file where it is another model's, or
    none."""
    where, wanted = f"{folder.name}/{name}", str(kind.model_type)
    if (content := read_object(folder / name)) is None:
        problem = f"cannot read {name} of {folder.name}"
        raise RecipeError("filter.checkpoint", problem, "a folder transformers' save_pretrained wrote")
    if content.get("model_type") != wanted:
        problem = f"{where} is of {content.get('model_type', 'no model')}"
        raise RecipeError("filter.checkpoint", problem, f"a checkpoint of {wanted}")
    arguments = {k: v for k, v in content.items() if k not in ("architectures", "torch_dtype", "dtype")}
    try:
        with quiet():
            return kind.from_dict(arguments)
    except (TypeError, ValueError, KeyError, StrictDataclassError) as error:
        problem = f"{where}: {str(error).splitlines()[0][:200]}"
        raise RecipeError("filter.checkpoint", problem, "the config.json that came with the weights") from None


def load_model(kind: Any, folder: Path, name: str = "model") -> Any:
    """transformers' model of class ``kind`` with the folder's configuration and weights, in float32 on the CPU: of
    config.json and model.safetensors, or of the files called ``name``.

    RecipeError where a part is missing or damaged, holds code, or is of another architecture.
    """
    config = read_config(kind.config_class, folder, "config.json" if name == "model" else f"{name}_config.json")
    return fill_model(kind, config, read_folder(folder, name), folder)


def fill_model(kind: Any, config: Any, state: State, folder: Path, **more: Any) -> Any:
    """``state`` in a model of class ``kind``, made with ``more``: all of the model's weights, or RecipeError names one
    that does not fit."""
    try:
        with quiet():
            model, loading_info = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(state),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
                dtype=torch.float32,
                **more,
            )
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError, ZeroDivisionError) as error:
        problem = f"cannot load the weights in {folder} ({type(error).__name__})"
        raise RecipeError("filter.checkpoint", problem, "config.json and model.safetensors of one model") from None
    unfitting = sorted({_name(key) for kind in ("missing_keys", "mismatched_keys") for key in loading_info[kind]})
    if unfitting:
        problem = f"{folder} does not fit its config: {unfitting[0]}"
        raise RecipeError("filter.checkpoint", problem, "its own config.json beside model.safetensors")
    check_finite(model, folder.name)
    return model.eval()


def _name(key: Any) -> str:
    return str(key[0] if isinstance(key, tuple) else key)


def read_preprocessor(folder: Path) -> dict[str, Any]:
    """preprocessor_config.json, or what processor_config.json, which newer versions write, says of images.

    {} where there is neither; RecipeError where one cannot be read.
    """
    for name, part in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        path = folder / name
        if not path.exists():
            continue
        if (content := read_object(path)) is None:
            raise RecipeError("filter.checkpoint", f"cannot read {path}", "the checkpoint's own file")
        section = content if part is None else content.get(part)
        if isinstance(section, dict):
            return section
    return {}


class FolderTokenizer:
    """The folder's own tokenizer, a `filters.towers.tokenizer.TextTokenizer` whose rows are padded to
    ``context_length``.

    A CLIP's folder without one is given CLIP's, which they share (``words``: how many the text tower knows).
    Gemma's leaves capitals, and the one tower here that reads by it, SigLIP 2's, never saw any: texts are lowered.
    """

    def __init__(self, folder: Path, context_length: int, words: int = 0) -> None:
        ensure()
        self.context_length = context_length
        self.files = {name: (folder / name).read_bytes() for name in TOKENIZER_FILES if (folder / name).is_file()}
        self._stock: Any = None
        if not self.files and words == _CLIP_WORDS:
            from filters.towers.openclip import open_clip

            self._stock = open_clip.SimpleTokenizer(context_length=context_length)
            self.vocab_size = _CLIP_WORDS
            return
        if not self.files:  # transformers would make an empty one up
            problem = f"no tokenizer in {folder}"
            raise RecipeError("filter.tokenizer", problem, "tokenizer.json and tokenizer_config.json")
        from transformers import AutoTokenizer

        try:
            with quiet():
                self._tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, ImportError, KeyError, TypeError) as error:
            problem = f"no tokenizer in {folder} ({type(error).__name__})"
            raise RecipeError("filter.tokenizer", problem, "tokenizer.json and tokenizer_config.json") from None
        self._lower = type(self._tokenizer).__name__.startswith("Gemma")
        if self._tokenizer.pad_token is None:
            problem = f"the tokenizer in {folder} names no token that pads"
            raise RecipeError("filter.tokenizer", problem, "the checkpoint's own tokenizer_config.json")
        self.vocab_size = len(self._tokenizer)
        if words and self.vocab_size > words:
            problem = f"the tokenizer in {folder} knows {self.vocab_size} tokens, the model {words}"
            raise RecipeError("filter.tokenizer", problem, "the tokenizer of this checkpoint")

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.context_length), np.int64)
        if self._stock is not None:
            return np.asarray(self._stock(list(texts)), np.int64)
        texts = [text.lower() for text in texts] if self._lower else list(texts)
        encoding = self._tokenizer(texts, padding="max_length", truncation=True, max_length=self.context_length)
        return np.asarray(encoding["input_ids"], np.int64)


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and advice, for the time of one load or save."""
    from transformers.utils import logging as untyped

    logging: Any = untyped
    level = logging.get_verbosity()
    had_progress_bar = logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if had_progress_bar:
            logging.enable_progress_bar()
