#!/usr/bin/env bash
# transformers' OneFormer is built with `decoder_layers=1` and cannot be called: its forward pass raises
# UnboundLocalError, a Python name that was never set, and says nothing of the configuration.
#
# Versions: transformers 5.24.0, torch 2.14.1, numpy 2.4.6, scipy 1.17.1.
#
# The transformer of queries counts as the first of the decoder's layers, so that one layer leaves the list of further
# ones empty; the variable that is returned is set within the loop over that list. Any number from 2 on works, also
# where nothing but the first layer's prediction is wanted. Whoever makes a network as small as can be, to count its
# operations or to test a pipeline, meets this first.
#
#   decoder_layers   further layers   forward pass
#   1                0                UnboundLocalError
#   2                1                (1, 4, 3) logits of classes
#   3                2                (1, 4, 3) logits of classes
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.14.1 numpy==2.4.6 \
  scipy==1.17.1

cat >call.py <<'E'
import torch
from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, SwinConfig

swin = SwinConfig(
    image_size=64, embed_dim=12, depths=[1] * 4, num_heads=[1] * 4, window_size=4,
    out_features=["stage1", "stage2", "stage3", "stage4"],
)  # fmt: skip
for layers in (1, 2, 3):
    config = OneFormerConfig(
        backbone_config=swin, decoder_layers=layers, hidden_dim=32, conv_dim=32, mask_dim=32, encoder_layers=1,
        encoder_feedforward_dim=16, dim_feedforward=16, num_attention_heads=2, num_queries=4, query_dec_layers=1,
        text_encoder_width=32, text_encoder_num_layers=1, text_encoder_vocab_size=32, text_encoder_context_length=8,
        text_encoder_n_ctx=0, task_seq_len=8, is_training=False,
    )  # fmt: skip
    net = OneFormerForUniversalSegmentation(config).eval()
    further = len(net.model.transformer_module.decoder.layers)
    try:
        with torch.no_grad():
            output = net(torch.zeros(1, 3, 64, 64), task_inputs=torch.ones(1, 8))
        print(layers, further, tuple(output.class_queries_logits.shape))
    except Exception as error:
        print(layers, further, type(error).__name__, error)
E
cat >expected.txt <<'E'
1 0 UnboundLocalError cannot access local variable 'layer_outputs' where it is not associated with a value
2 1 (1, 4, 3)
3 2 (1, 4, 3)
E
env/bin/python -W ignore call.py 2>messages.txt >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
