"""A folder as transformers' ``save_pretrained`` and its hub write it: configuration, weights, tokenizer, pixels.

Weights are read by `filters.towers.weights` alone, which runs no code, and handed to transformers, which knows the
names that older versions gave them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError

from curate.errors import RecipeError
from filters.towers.architectures import TOKENIZER_FILES, check_finite
from filters.towers.torchvision_ops import ensure
from filters.towers.weights import State, read_folder, read_object

_CLIP_WORDS = 49408  # of CLIP's byte-pair vocabulary, which open_clip has with it


@dataclass(frozen=True)
class Picture:
    """What `filters.towers.encoder.Filter` asks of a vision tower."""

    image_size: int
    image_mean: list[float]
    image_std: list[float]


class TransformersModel(torch.nn.Module):
    """A model of transformers with two towers as `filters.towers.encoder.Filter` asks it; ``preprocessor`` is
    preprocessor_config.json's content, ``mean`` and ``std`` the pixels' where it says none."""

    def __init__(
        self, model: Any, preprocessor: dict[str, Any], side: int, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__()
        self.inner, self.preprocessor = model, preprocessor
        self.config: dict[str, Any] = model.config.to_dict()
        mean, std = preprocessor.get("image_mean") or mean, preprocessor.get("image_std") or std
        self.visual = Picture(side, list(mean), list(std))

    @property
    def logit_scale(self) -> torch.nn.Parameter:
        """float32[] or [1], the logarithm of t."""
        scale: torch.nn.Parameter = self.inner.logit_scale
        return scale

    def image_tokens(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(embedding float[n, d], tokens float[n, m, width]) of normalised float[n, 3, side, side]."""
        raise NotImplementedError

    def encode_image(self, x: torch.Tensor) -> torch.Tensor:
        """Rows float[n, d], not yet of unit length."""
        return self.image_tokens(x)[0]

    def save(self, folder: Path) -> None:
        """transformers' layout: config.json, model.safetensors, preprocessor_config.json."""
        save_model(self.inner, self.preprocessor, folder)


def read_model_config(folder: Path) -> dict[str, Any] | None:
    """config.json with the ``model_type`` of a transformers model; None where there is none."""
    config = read_object(folder / "config.json")
    return config if config is not None and isinstance(config.get("model_type"), str) else None


def load_model(kind: Any, folder: Path) -> Any:
    """transformers' model of class ``kind`` with the folder's configuration and weights, in float32 on the CPU.

    RecipeError where a part is missing or damaged, holds code, or the weights are of another architecture.
    """
    model_config = read_model_config(folder) or {}
    arguments = {k: v for k, v in model_config.items() if k not in ("architectures", "torch_dtype", "dtype")}
    try:
        with quiet():
            config = kind.config_class.from_dict(arguments)
    except (TypeError, ValueError, KeyError, StrictDataclassError) as error:
        problem = f"{folder.name}/config.json: {str(error).splitlines()[0][:200]}"
        raise RecipeError("filter.checkpoint", problem, "the config.json that came with the weights") from None
    return fill_model(kind, config, read_folder(folder), folder)


def fill_model(kind: Any, config: Any, state: State, folder: Path) -> Any:
    """``state`` in a model of class ``kind``, all of the model's weights; RecipeError names one that does not fit."""
    try:
        with quiet():
            model, loading_info = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(state),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
                dtype=torch.float32,
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


def save_model(model: Any, preprocessor: dict[str, Any], folder: Path) -> None:
    """transformers' layout: config.json, model.safetensors, preprocessor_config.json."""
    with quiet():
        model.save_pretrained(folder)
    text = json.dumps(preprocessor, indent=1, sort_keys=True) + "\n"
    (folder / "preprocessor_config.json").write_text(text, "utf-8")


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
