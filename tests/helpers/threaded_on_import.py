"""A module that starts a thread when it is imported, so that a process that has it cannot be forked safely."""

import threading
import time

threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
