"""open_clip's own trainer with a possibly broken torchvision: ``python -m filters.training.open_clip_train_main``.

Takes open_clip_train's arguments, and also knows this product's small architectures (`filters/towers/configs`) by name.
It runs in this process, to which the operators declared by `filters.towers.torchvision_ops` are limited.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from filters.towers import torchvision_ops
from filters.towers.architectures import CONFIGS


def main(args: Sequence[str]) -> None:
    """Run ``open_clip_train.main.main(args)`` unchanged."""
    torchvision_ops.ensure()
    import open_clip
    from open_clip_train.main import main as train

    open_clip.add_model_config(CONFIGS)
    train(list(args))


if __name__ == "__main__":
    main(sys.argv[1:])
