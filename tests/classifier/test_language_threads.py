"""The first messages of a fresh process may come at once."""

import subprocess
import sys

FIRST_WORDS = """
import threading
from classifier.language import language_identifier

identifier, said = language_identifier(), []
ready = threading.Barrier(16)

def identify():
    ready.wait()
    said.append(identifier.identify("Where is my parcel? It should have been here on Tuesday."))

threads = [threading.Thread(target=identify) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(said.count("en"))
"""


def test_many_threads_may_ask_first() -> None:
    found = subprocess.run([sys.executable, "-c", FIRST_WORDS], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("16\n", "")
