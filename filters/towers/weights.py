"""Weights from a file that can hold no code: safetensors, a state dict, or the TorchScript archives OpenAI released
(ViT-B-32.pt, RN50.pt), whose shapes say the architecture."""

from __future__ import annotations

import json
import math
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from curate.errors import RecipeError

State = dict[str, torch.Tensor]
_HEAD = 64  # width of an attention head in all of OpenAI's
_BLOCK = re.compile(r"^transformer\.resblocks\.(\d+)\.")
_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".msgpack", ".h5")
_GRAPHS = (".onnx", ".ort", ".msgpack", ".h5", ".pb", ".tflite", ".engine", ".pt2")
_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
# what an archive of OpenAI's holds beside its weights, wherever in the model
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")


def read_state(path: Path) -> State:
    """The state dict of ``path``, by loaders that run no code; one level of ``state_dict`` is opened.

    RecipeError where the file is missing, unreadable, or holds anything but tensors.
    """
    loaded: Any
    if path.suffix in _GRAPHS:
        problem = f"{path.name} is a program for another runtime, not a state dict; it is not run"
        raise RecipeError("filter.checkpoint", problem, "the checkpoint it was exported from, as .safetensors")
    try:
        loaded = _read_script(path) if is_script(path) else _read_plain(path)
    except FileNotFoundError:
        raise RecipeError(
            "filter.checkpoint", f"no file {path}", "a local .safetensors or .pt file, or a filter folder"
        ) from None
    except pickle.UnpicklingError:
        raise RecipeError(
            "filter.checkpoint", f"{path.name} holds code, not only tensors; refused", "save it as .safetensors"
        ) from None
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        problem = f"cannot read {path.name} ({type(error).__name__}): corrupt"
        raise RecipeError("filter.checkpoint", problem, "save its state dict as .safetensors") from None
    weights = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not weights or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in weights.items()):
        raise RecipeError(
            "filter.checkpoint", f"{path.name} holds no state dict", "a checkpoint of open_clip or its state dict"
        )
    return dict(weights)


def read_folder(folder: Path, name: str = "model") -> State:
    """Every tensor of a folder in transformers' layout: ``name``.safetensors or pytorch_model.bin, whole or in shards.

    Safetensors where both lie. RecipeError names a file that is missing, holds code or cannot be read.
    """
    for path in (folder / f"{name}.safetensors", folder / f"pytorch_{name}.bin"):
        index = path.with_name(f"{path.name}.index.json")
        if path.is_file() or not index.is_file():
            if path.is_file():
                return read_state(path)
            continue
        out: State = {}
        for shard in _shards(index):
            out |= read_state(folder / shard)
        return out
    others = sorted(p.name for p in folder.glob("*") if p.suffix in _SUFFIXES) if folder.is_dir() else []
    why = f", but {', '.join(others)}" if others else ""
    problem = f"no {name}.safetensors and no pytorch_{name}.bin in {folder}{why}"
    raise RecipeError("filter.checkpoint", problem, f"the checkpoint's weights as {name}.safetensors")


def tensor_names(folder: Path) -> frozenset[str]:
    """The names of the tensors `read_folder` would read of a file that is not in shards; none where it cannot."""
    try:
        if (folder / "model.safetensors").is_file():
            with safe_open(folder / "model.safetensors", framework="pt") as file:
                return frozenset(file.keys())
        tensors = torch.load(folder / "pytorch_model.bin", map_location="meta", weights_only=True)
    except (OSError, SafetensorError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError):
        return frozenset()
    return frozenset(str(k) for k in tensors) if isinstance(tensors, dict) else frozenset()


def read_object(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no file, or it holds none."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_object(path: Path, content: dict[str, Any]) -> None:
    """Sorted, indented, no NaN: equal content gives equal bytes."""
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", "utf-8")


def write_state(state: Mapping[str, torch.Tensor], path: Path) -> None:
    """Equal weights give equal bytes; tensors that share memory are written each for itself."""
    save_file({k: state[k].detach().cpu().contiguous().clone() for k in sorted(state)}, path)


def fill(module: torch.nn.Module, state: Mapping[str, torch.Tensor], name: str) -> None:
    """``state`` into ``module``, all of it and nothing else; RecipeError names the file ``name`` where a tensor is
    missing, has another shape or holds NaN."""
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        problem = f"{name} does not fit its config: {first_misfit(error)}"
        raise RecipeError("filter.checkpoint", problem, "give the file with its own config.json") from None
    check_finite(module, name)


def first_misfit(error: Exception) -> str:
    """What torch says of the first tensor that does not fit a module."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[1] if len(lines) > 1 else (lines or [type(error).__name__])[0])[:300]


def check_finite(model: torch.nn.Module, name: str) -> None:
    """RecipeError where weights are NaN or infinite."""
    if not all(torch.isfinite(t).all() for t in model.state_dict().values() if t.is_floating_point()):
        raise RecipeError("filter.checkpoint", f"{name} holds NaN or infinite weights", "use another checkpoint")


def _shards(index: Path) -> list[str]:
    """The files beside an index, whatever paths it names."""
    try:
        weight_map = json.loads(index.read_text("utf-8"))["weight_map"]
        return sorted({Path(str(name)).name for name in weight_map.values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = f"cannot read {index.name} of {index.parent} ({type(error).__name__})"
        raise RecipeError("filter.checkpoint", problem, "the checkpoint's own index") from None


def _read_plain(path: Path) -> Any:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def is_script(path: Path | None) -> bool:
    """Whether the file is a TorchScript archive: it carries its program in ``code/``, a state dict does not."""
    if path is None or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _read_script(path: Path) -> State:
    """The tensors of a TorchScript archive, read beside its program: nothing in ``code/`` is looked at."""
    with zipfile.ZipFile(path) as archive:
        root = next(name for name in archive.namelist() if name.endswith("/data.pkl")).removesuffix("data.pkl")
        with archive.open(f"{root}data.pkl") as file:
            module = _Tensors(file, archive, root).load()
    state: State = {}
    _collect(module, "", state)
    return {name: tensor for name, tensor in state.items() if name.rpartition(".")[2] not in _NOT_WEIGHTS}


class _Module:
    """A scripted module with its attributes and nothing else: no method of it exists here."""

    def __setstate__(self, state: Any) -> None:
        self.attributes: dict[str, Any] = state if isinstance(state, dict) else {}


class _Tensors(pickle.Unpickler):
    """An unpickler for which only tensors, plain containers and inert modules exist."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(file)
        self._archive, self._root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("__torch__"):
            return _Module
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch.jit._pickle" and name.startswith(("build_", "restore_type_tag")):
            return _first
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        _, dtype, key, _, count = pid
        raw = bytearray(self._archive.read(f"{self._root}data/{int(key)}"))
        if int(count) == 0:
            return torch.empty(0, dtype=dtype)
        return torch.frombuffer(raw, dtype=dtype, count=int(count))


def _rebuild(storage: torch.Tensor, offset: int, size: Any, stride: Any, *_: Any) -> torch.Tensor:
    return storage.as_strided(tuple(size), tuple(stride), int(offset)).clone()


def _first(value: Any, *_: Any) -> Any:
    return value


def _collect(module: Any, prefix: str, out: State) -> None:
    """Names as `torch.nn.Module.state_dict` gives them."""
    for name, value in getattr(module, "attributes", {}).items():
        if isinstance(value, torch.Tensor):
            out[prefix + name] = value
        elif isinstance(value, _Module):
            _collect(value, f"{prefix}{name}.", out)


def read_architecture(path: Path) -> dict[str, Any]:
    """The open_clip model config of the archive at ``path``; RecipeError where it is not of OpenAI's CLIP."""
    state = read_state(path)
    try:
        return _architecture(state)
    except (KeyError, ValueError, IndexError) as error:
        problem = f"{path.name} is a TorchScript archive, but not of OpenAI's CLIP ({type(error).__name__}: {error})"
        raise RecipeError("filter.checkpoint", problem, "its state dict as .safetensors, and its arch") from None


def _architecture(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    vision = _vit(state) if "visual.proj" in state else _resnet(state)
    context, width = state["positional_embedding"].shape
    text = {
        "context_length": int(context),
        "vocab_size": int(state["token_embedding.weight"].shape[0]),
        "width": int(width),
        "heads": int(width) // _HEAD,
        "layers": len({m[1] for key in state if (m := _BLOCK.match(key))}),
    }
    embed = int(state["text_projection"].shape[1])
    return {"embed_dim": embed, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text}


def _vit(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    patches = state["visual.conv1.weight"]
    side = math.isqrt(state["visual.positional_embedding"].shape[0] - 1)
    return {
        "image_size": side * patches.shape[-1],
        "layers": sum(key.startswith("visual.") and key.endswith(".attn.in_proj_weight") for key in state),
        "width": int(patches.shape[0]),
        "patch_size": int(patches.shape[-1]),
    }


def _resnet(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    side = math.isqrt(state["visual.attnpool.positional_embedding"].shape[0] - 1)
    blocks = [{key.split(".")[2] for key in state if key.startswith(f"visual.layer{i}.")} for i in (1, 2, 3, 4)]
    return {
        "image_size": side * 32,
        "layers": [len(b) for b in blocks],
        "width": int(state["visual.layer1.0.conv1.weight"].shape[0]),
        "patch_size": None,
    }
