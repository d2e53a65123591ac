"""open_clip's own trainer where torchvision may be broken: ``python -m filters.training.open_clip_train_main``.

Takes exactly open_clip_train's arguments, and knows our small architectures (`filters/towers/configs`) by name besides.
It runs in this process, because the operators `filters.towers.torchvision_ops` declares live in a process.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from filters.towers import torchvision_ops
from filters.towers.architectures import CONFIGS


def main(args: Sequence[str]) -> None:
    """Run ``open_clip_train.main.main(args)``; it prints, writes and exits as it does by itself."""
    torchvision_ops.ensure()
    import open_clip
    from open_clip_train.main import main as train

    open_clip.add_model_config(CONFIGS)
    train(list(args))


if __name__ == "__main__":
    main(sys.argv[1:])
