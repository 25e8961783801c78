"""Networks of segmentation-models-pytorch (github.com/qubvel-org/segmentation_models.pytorch): `use: "smp:Unet"`.

Iakubovskii: Segmentation Models Pytorch, 2019. U-Net, U-Net++, FPN, PSPNet, DeepLabV3, DeepLabV3+, UPerNet, SegFormer
and more, each on any of the library's encoders: `args: {encoder: resnet50, classes: 19}`.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from hrbench.core.text import suggestion
from hrbench.errors import UsageError
from hrbench.models.adapters.shared import (
    argument_names,
    check_task,
    library,
    refuse_unknown,
    with_checked_output,
    without_weight_args,
)

TIMM = ("tu-", "timm-")  # encoders of timm's, which are given all that the architecture has no name for


def build(
    name: str, *, task: str = "", encoder: str = "resnet34", encoder_name: str = "", classes: int = 1, **args: Any
) -> nn.Module:
    """The library's network with random weights and its own keys: images (N, 3, H, W) -> logits (N, classes, H, W).

    name: an architecture, whatever its case. encoder, or encoder_name as the library calls it: a name of the library's,
    or one of timm's as "tu-NAME". H and W are multiples of the encoder's last stride, mostly 32. args: of the
    architecture, such as decoder_channels. Raises UsageError for an unknown architecture or encoder, for another task,
    and for encoder_weights or an argument that nothing of it knows.
    """
    check_task(task, ("segmentation",), f"smp:{name}")
    smp = library("segmentation_models_pytorch")
    known = {kind.__name__.lower(): kind.__name__ for kind in smp.MODEL_ARCHITECTURES_MAPPING.values()}
    if name.lower() not in known:
        hint = suggestion(name, known.values())
        raise UsageError(f"segmentation-models-pytorch {smp.__version__} has no {name!r}; {hint}")
    encoder = encoder_name or encoder
    args = without_weight_args(args, ("encoder_weights", "weights"), f"smp:{name}")
    encoders = smp.encoders.get_encoder_names()
    if encoder not in encoders and not encoder.startswith("tu-"):
        raise UsageError(f"smp:{name} has no encoder {encoder!r}; {suggestion(encoder, encoders)}")
    if not encoder.startswith(TIMM):  # the library's own encoders pass over what they do not know
        own = argument_names(smp.MODEL_ARCHITECTURES_MAPPING[name.lower()]) - {"encoder_weights", "encoder_name"}
        refuse_unknown(args, own | {"encoder"}, f"smp:{name}")
    net = smp.create_model(name, encoder_name=encoder, encoder_weights=None, classes=classes, **args)
    return with_checked_output(net, "segmentation", f"smp:{name}")
