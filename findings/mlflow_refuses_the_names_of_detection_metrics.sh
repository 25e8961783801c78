#!/usr/bin/env bash
# MLflow takes no metric whose name has an @ or brackets, which are in the field's own names: mAP@0.5, PCKh@0.5,
# mAP@[.5:.95], AP(small).
#
# Version: mlflow 3.17.2, with a local database.
#
# Each of these names raises when it is logged. Logged with others in one call, the whole call is refused: the loss and
# the names that would be allowed are lost with it, so a run whose error is caught, as training loops do to survive a
# tracking server that is away, ends with none of its numbers. Names with a colon, a slash or a space are taken.
#
#   logged                                    stored
#   mAP@0.5                                   nothing (MlflowException)
#   PCKh@0.5                                  nothing (MlflowException)
#   mAP@[.5:.95]                              nothing (MlflowException)
#   AP(small)                                 nothing (MlflowException)
#   AP50:95                                   AP50:95
#   IoU/traffic light                         IoU/traffic light
#   loss, mIoU and mAP@0.5 in one call        nothing (MlflowException)
#
# The script makes a temporary folder, installs the version above there, and fails if it behaves in another way.
set -euo pipefail
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"${PYTHON:-python3.11}" -m venv env
env/bin/pip install --quiet --disable-pip-version-check mlflow==3.17.2

cat >log.py <<'E2'
import logging

import mlflow
from mlflow.exceptions import MlflowException

logging.disable()
client = mlflow.MlflowClient(tracking_uri="sqlite:///runs.db")
mlflow.set_tracking_uri("sqlite:///runs.db")
experiment = client.create_experiment("names")
names = ("mAP@0.5", "PCKh@0.5", "mAP@[.5:.95]", "AP(small)", "AP50:95", "IoU/traffic light")
for metrics in (*({name: 0.5} for name in names), {"loss": 0.1, "mIoU": 0.7, "mAP@0.5": 0.5}):
    run = client.create_run(experiment).info.run_id
    said = ""
    try:
        mlflow.log_metrics(metrics, run_id=run)
    except MlflowException as error:
        said = f" ({type(error).__name__})"
    stored = ", ".join(client.get_run(run).data.metrics) or "nothing"
    print(f"{', '.join(metrics)}: {stored}{said}")
E2
cat >expected.txt <<'E2'
mAP@0.5: nothing (MlflowException)
PCKh@0.5: nothing (MlflowException)
mAP@[.5:.95]: nothing (MlflowException)
AP(small): nothing (MlflowException)
AP50:95: AP50:95
IoU/traffic light: IoU/traffic light
loss, mIoU, mAP@0.5: nothing (MlflowException)
E2
env/bin/python log.py 2>/dev/null >seen.txt
cat seen.txt
diff expected.txt seen.txt && echo "as stated"
