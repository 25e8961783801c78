#!/usr/bin/env bash
# Ray looks at the process above the driver: below `uv run` a `working_dir` of another folder ends in an error.
#
# Versions: ray 2.60.0, uv 0.13.9. The same driver, in the same environment, with the same folder for the workers:
#
#   python driver.py                                        the worker reads the file in the folder
#   uv run python driver.py                                 RuntimeError: pyproject.toml is not in the working_dir
#   RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 uv run python driver.py the worker reads the file in the folder
#
# By default Ray finds `uv run` among the parents of the driver and has uv start the workers, too, in the folder that
# travels, which then must hold the project. A command line tool that starts Ray meets this as soon as somebody puts
# `uv run` in front of it, as uv's users do, or calls it from tests that `uv run pytest` started.
#
# The script makes a temporary folder, installs the versions above there, and fails if they behave in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"

mkdir project travels
echo "read by a worker" >travels/note.txt
cat >project/pyproject.toml <<'EOF'
[project]
name = "driver"
version = "1"
requires-python = ">=3.11,<3.12"
dependencies = ["ray==2.60.0"]
EOF
cat >project/driver.py <<'EOF'
import logging
import sys

import ray

try:
    ray.init(
        num_cpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.CRITICAL,
        object_store_memory=100 << 20,
        runtime_env={"working_dir": sys.argv[1]},
    )

    @ray.remote
    def note():
        with open("note.txt") as stream:
            return stream.read().strip()

    print(ray.get(note.remote()))
except RuntimeError as error:
    print("RuntimeError:", "pyproject.toml is not in the working_dir" in str(error))
EOF

"${PYTHON:-python3.11}" -m venv tools
tools/bin/pip install -q --disable-pip-version-check uv==0.13.9
PATH="$folder/tools/bin:$PATH"
cd project
uv sync -q --python "${PYTHON:-python3.11}"
export RAY_USAGE_STATS_ENABLED=0
{
  echo "python: $(.venv/bin/python driver.py ../travels 2>/dev/null)"
  echo "uv run: $(uv run -q python driver.py ../travels 2>/dev/null)"
  echo "uv run, switched off: $(RAY_ENABLE_UV_RUN_RUNTIME_ENV=0 uv run -q python driver.py ../travels 2>/dev/null)"
} >../seen.txt
cd ..

cat >expected.txt <<'EOF'
python: read by a worker
uv run: RuntimeError: True
uv run, switched off: read by a worker
EOF
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
