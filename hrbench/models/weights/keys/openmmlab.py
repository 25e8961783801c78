"""Files of OpenMMLab: mmpose 0.x and 1.x, mmsegmentation 0.x and 1.x, mmclassification and mmpretrain, mmdetection 2
and 3. Names as in mmpose 1.3.2, mmsegmentation 1.2.2, mmpretrain 1.2.0 and mmdet 3.3.0.
"""

from __future__ import annotations

from hrbench.models.weights.key_maps import SAME_KEYS, BuildRequirement, KeyMap, Rules
from hrbench.models.weights.keys.official import DETECTORS, FCOS_OUTPUT

SOURCE = ("openmmlab",)
TRUNK: Rules = ((r"backbone\.(.+)", r"\1"),)
PREPROCESSOR = (r"data_preprocessor\.(mean|std)", "mean and deviation of the input, which the catalog states")
NO_BIAS = "OpenMMLab's convolutions before a norm have no bias"
ALIGNED = (BuildRequirement("align_corners", False),)

ATTENTION = "ocr_distri_head.object_context_block"
OBJECT_CONTEXT = r"decode_head\.1\.object_context_block"
OCR_HEAD: Rules = (
    (r"decode_head\.0\.convs\.0\.conv\.(.+)", r"aux_head.0.\1"),
    (r"decode_head\.0\.convs\.0\.bn\.(.+)", r"aux_head.1.\1"),
    (r"decode_head\.0\.conv_seg\.(.+)", r"aux_head.3.\1"),
    (r"decode_head\.1\.bottleneck\.conv\.(.+)", r"conv3x3_ocr.0.\1"),
    (r"decode_head\.1\.bottleneck\.bn\.(.+)", r"conv3x3_ocr.1.\1"),
    *(
        rule
        for theirs, ours in (("query_project", "f_pixel"), ("key_project", "f_object"))
        for i in (0, 1)
        for rule in (
            (rf"{OBJECT_CONTEXT}\.{theirs}\.{i}\.conv\.(.+)", rf"{ATTENTION}.{ours}.{2 * i}.\1"),
            (rf"{OBJECT_CONTEXT}\.{theirs}\.{i}\.bn\.(.+)", rf"{ATTENTION}.{ours}.{2 * i + 1}.0.\1"),
        )
    ),
    *(
        rule
        for theirs, ours in (
            ("value_project", f"{ATTENTION}.f_down"),
            ("out_project", f"{ATTENTION}.f_up"),
            ("bottleneck", "ocr_distri_head.conv_bn_dropout"),
        )
        for rule in (
            (rf"{OBJECT_CONTEXT}\.{theirs}\.conv\.(.+)", rf"{ours}.0.\1"),
            (rf"{OBJECT_CONTEXT}\.{theirs}\.bn\.(.+)", rf"{ours}.1.0.\1"),
        )
    ),
    (r"decode_head\.1\.conv_seg\.(.+)", r"cls_head.\1"),
)

MAPS = (
    KeyMap(
        "mmpose",
        SOURCE,
        ("pose_hrnet",),
        rules=(*TRUNK, (r"(?:keypoint_)?head\.(final_layer\..+)", r"\1")),
        ignored=(PREPROCESSOR,),
    ),
    KeyMap(
        "mmpose",
        SOURCE,
        ("pose_resnet",),
        rules=(*TRUNK, (r"(?:keypoint_)?head\.((?:deconv_layers|final_layer)\..+)", r"\1")),
        ignored=(PREPROCESSOR,),
        note="mmpose's networks read RGB, the official SimpleBaseline BGR: the variant's colour must be rgb",
    ),
    KeyMap(
        "mmsegmentation",
        SOURCE,
        ("seg_hrnet",),
        rules=(
            *TRUNK,
            (r"decode_head\.convs\.0\.conv\.(.+)", r"last_layer.0.\1"),
            (r"decode_head\.convs\.0\.bn\.(.+)", r"last_layer.1.\1"),
            (r"decode_head\.conv_seg\.(.+)", r"last_layer.3.\1"),
        ),
        ignored=(PREPROCESSOR,),
        zeroed=((r"last_layer\.0\.bias", NO_BIAS),),
        requires=ALIGNED,
    ),
    KeyMap(
        "mmsegmentation",
        SOURCE,
        ("seg_hrnet_ocr",),
        rules=(*TRUNK, *OCR_HEAD),
        ignored=(PREPROCESSOR,),
        zeroed=((r"(aux_head|conv3x3_ocr)\.0\.bias", NO_BIAS),),
        requires=ALIGNED,
    ),
    KeyMap(
        "mmpretrain",
        SOURCE,
        ("cls_hrnet",),
        rules=(
            *TRUNK,
            (r"neck\.(?:0\.)?increase_layers\.(.+)", r"incre_modules.\1"),
            (r"neck\.(?:0\.)?downsample_layers\.(\d+)\.conv\.(.+)", r"downsamp_modules.\1.0.\2"),
            (r"neck\.(?:0\.)?downsample_layers\.(\d+)\.bn\.(.+)", r"downsamp_modules.\1.1.\2"),
            (r"neck\.(?:0\.)?final_layer\.conv\.(.+)", r"final_layer.0.\1"),
            (r"neck\.(?:0\.)?final_layer\.bn\.(.+)", r"final_layer.1.\1"),
            (r"head\.fc\.(.+)", r"classifier.\1"),
        ),
        ignored=(PREPROCESSOR,),
        zeroed=((r"(downsamp_modules\.\d+|final_layer)\.0\.bias", NO_BIAS),),
    ),
    # Our detectors carry these keys; the background is the last class, not the first as in mmdetection 1.
    KeyMap(
        "mmdetection 2 and 3",
        SOURCE,
        DETECTORS,
        ignored=(PREPROCESSOR,),
        requires=(BuildRequirement("convention", "mmdet3"),),
    ),
    KeyMap(
        "mmdetection 2.0",
        SOURCE,
        ("fcos",),
        rules=(FCOS_OUTPUT, *SAME_KEYS),
        requires=(BuildRequirement("convention", "mmdet3"),),
    ),
)
