"""Refreshes of a TUF repository with python-tuf, as told line by line; answers each line with seconds on the wall and of processor time.

Arguments: origin, folder with root.json, target paths. Lines: "cold" (a new client: refresh, then download every target), "same N"
(N refreshes of the last client, each as a new Updater on its folder). One fetcher with its connections serves all of them.
"""

import pathlib
import shutil
import sys
import time

from tuf.ngclient import Updater
from tuf.ngclient.urllib3_fetcher import Urllib3Fetcher

origin, folder, targets = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
root = (folder / "root.json").read_bytes()
metadata, files = folder / "metadata", folder / "files"
fetcher = Urllib3Fetcher()


def updater(bootstrap):
    return Updater(
        str(metadata), f"{origin}/metadata/", str(files), f"{origin}/targets/", fetcher=fetcher, bootstrap=bootstrap
    )


def cold():
    client = updater(root)
    client.refresh()
    for target in targets:
        info = client.get_targetinfo(target)
        if info is None:
            sys.exit(f"{target} is not there")
        client.download_target(info)


def same(count):
    for _ in range(count):
        updater(None).refresh()


for line in sys.stdin:
    what, *count = line.split()
    if what == "cold":
        for part in (metadata, files):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        work = cold
    else:
        work = lambda: same(int(count[0]))
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
