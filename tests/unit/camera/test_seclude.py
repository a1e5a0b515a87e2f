from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import ctypes, json, resource
from plumbline_edge.camera.seclude import seclude
seclude()
print(json.dumps([ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)]))
"""


def test_a_secluded_process_is_not_dumpable_and_leaves_no_core():
    said = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=60)

    assert json.loads(said.stdout) == [0, [0, 0]]
