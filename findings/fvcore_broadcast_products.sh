#!/usr/bin/env bash
# fvcore counts a product whose first factor is broadcast once, whatever the batch, and rounds what einsum costs.
#
# Versions: fvcore 0.1.5.post20221221, torch 2.14.1.
#
#   product                                 multiply-adds      fvcore
#   (3, 8, 10) @ (10, 32)                   7,680              7,680
#   (8, 10) @ (3, 10, 32)                   7,680              2,560
#   (1, 8, 10) @ (3, 10, 32)                7,680              2,560
#   einsum, 4 of (16, 32) by (32, 32)       65,536             65,550
#   einsum, 257 by 257 by 257               16,974,593         16,975,000
#
# The batch is taken from the first factor alone; learnt queries and class tokens, which are broadcast over the batch
# or over windows, lose all but one of them. For einsum the count is read from the four printed digits of NumPy's
# report on the best order of products. Both without a warning, `unsupported_ops()` is empty.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check fvcore==0.1.5.post20221221 torch==2.14.1 numpy==2.4.6

cat >count.py <<'E'
import torch
from fvcore.nn import FlopCountAnalysis


class Product(torch.nn.Module):
    def __init__(self, product):
        super().__init__()
        self.product = product

    def forward(self, one, other):
        return self.product(one, other)


def rows(one, other):
    return torch.einsum("bij,bjk->bik", one, other)


for product, first, second in (
    (torch.matmul, (3, 8, 10), (10, 32)),
    (torch.matmul, (8, 10), (3, 10, 32)),
    (torch.matmul, (1, 8, 10), (3, 10, 32)),
    (rows, (4, 16, 32), (4, 32, 32)),
    (rows, (1, 257, 257), (1, 257, 257)),
):
    analysis = FlopCountAnalysis(Product(product), (torch.ones(first), torch.ones(second)))
    shape = product(torch.ones(first), torch.ones(second)).shape
    print(first, second, shape.numel() * first[-1], int(analysis.total()), dict(analysis.unsupported_ops()))
E
cat >expected.txt <<'E'
(3, 8, 10) (10, 32) 7680 7680 {}
(8, 10) (3, 10, 32) 7680 2560 {}
(1, 8, 10) (3, 10, 32) 7680 2560 {}
(4, 16, 32) (4, 32, 32) 65536 65550 {}
(1, 257, 257) (1, 257, 257) 16974593 16975000 {}
E
env/bin/python count.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
