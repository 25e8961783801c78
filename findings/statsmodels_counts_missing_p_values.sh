#!/usr/bin/env bash
# A p-value that is missing (NaN) takes part in statsmodels' corrections for many tests: other tests lose their
# verdict.
#
# Version: statsmodels 0.15.0.
#
# The input are the p-values 0.001, 0.02 and 0.04 of three comparisons of networks, without and with a fourth that
# could not be made. Which of the three are below 0.05 after the correction:
#
#   method           without NaN         with NaN at the end    corrected p-values with it
#   bonferroni       yes no  no          yes no  no             nan for the fourth
#   holm             yes yes yes         yes no  no             nan for the fourth
#   hommel           yes yes yes         no  no  no             nan for all
#   fdr_bh           yes yes yes         yes yes no             nan for all
#
# The missing one is counted as a test, for Benjamini-Hochberg the flags and the corrected values contradict each
# other, and nothing is said. SciPy's `false_discovery_control` refuses such input.
#
# The script makes a temporary folder, installs the version above there, and fails if it behaves in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check statsmodels==0.15.0 scipy==1.17.1 numpy==2.4.6 pandas==3.1.1

cat >correct.py <<'E'
import numpy as np
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

known = [0.001, 0.02, 0.04]
for method in ("bonferroni", "holm", "hommel", "fdr_bh"):
    flags = []
    for values in (known, [*known, np.nan]):
        rejected, corrected = multipletests(values, method=method)[:2]
        flags.append(" ".join("yes" if one else "no" for one in rejected[:3]))
    print(f"{method}: {' | '.join(flags)} | {int(np.isnan(corrected).sum())} nan")
try:
    false_discovery_control([*known, np.nan])
except ValueError:
    print("scipy refuses")
E
cat >expected.txt <<'E'
bonferroni: yes no no | yes no no | 1 nan
holm: yes yes yes | yes no no | 1 nan
hommel: yes yes yes | no no no | 4 nan
fdr_bh: yes yes yes | yes yes no | 4 nan
scipy refuses
E
env/bin/python correct.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
