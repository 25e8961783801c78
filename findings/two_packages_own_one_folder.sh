#!/usr/bin/env bash
# Two packages may own one folder: the later one wins, metadata still name the first, and removing one breaks both.
#
# Versions: opencv-python-headless 4.14.0.94 and opencv-python 5.0.0.93, which are both the module `cv2`; thop
# 0.1.1.post2209072238 and ultralytics-thop 2.2.3, both the module `thop`. pip takes this for valid, and packages ask
# for either of each pair, so that they come together in one environment without being named.
#
#   installed                              `import cv2` is          metadata of the first    `pip check`
#   headless 4.14                          4.14.0                   4.14.0.94                finds nothing
#   headless 4.14, then the other 5.0      5.0.0                    4.14.0.94                finds nothing
#   the other removed again                a folder without code    4.14.0.94                finds nothing
#
#   installed                              of the 12 files of thop
#   thop                                   12 as thop has them
#   thop, then ultralytics-thop            5 as thop has them, 7 of the other package
#   ultralytics-thop removed again         5 as thop has them, 7 gone, `__init__.py` among them; thop is still listed
#
# So a list of installed packages, as papers and reports have it, need not tell what has run: ask the module
# (`cv2.__version__`), and install one of a pair again after the other was removed.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
install() { env/bin/pip install --quiet --disable-pip-version-check "$@"; }

cat >cv2_is.py <<'E'
import importlib.metadata

import cv2

print(getattr(cv2, "__version__", "no code"), importlib.metadata.version("opencv-python-headless"))
E
cat >own.py <<'E'
import base64
import hashlib
import importlib.metadata

own = [file for file in importlib.metadata.files("thop") if file.parts[0] == "thop" and file.suffix == ".py"]
same = gone = 0
for file in own:
    path = file.locate()
    if not path.exists():
        gone += 1
        continue
    digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).rstrip(b"=").decode()
    same += digest == file.hash.value
print(f"{same} as they were, {len(own) - same - gone} of the other, {gone} gone")
E
{
  install numpy==2.4.6 opencv-python-headless==4.14.0.94
  env/bin/python cv2_is.py && env/bin/pip check
  install opencv-python==5.0.0.93
  env/bin/python cv2_is.py && env/bin/pip check
  env/bin/pip uninstall --quiet --yes opencv-python
  env/bin/python cv2_is.py && env/bin/pip check
  install --no-deps thop==0.1.1.post2209072238
  env/bin/python own.py
  install --no-deps ultralytics-thop==2.2.3
  env/bin/python own.py
  env/bin/pip uninstall --quiet --yes ultralytics-thop
  env/bin/python own.py
} >seen.txt
cat >expected.txt <<'E'
4.14.0 4.14.0.94
No broken requirements found.
5.0.0 4.14.0.94
No broken requirements found.
no code 4.14.0.94
No broken requirements found.
12 as they were, 0 of the other, 0 gone
5 as they were, 7 of the other, 0 gone
5 as they were, 0 of the other, 7 gone
E
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
