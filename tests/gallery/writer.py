"""A process that writes until it is killed: `python -m tests.gallery.writer URL ROUND`.

Each of four threads says on standard output what it is going to do, does it, and says that it was told it is done.
"""

import json
import os
import random
import sys
import threading
from typing import Any

from app.gallery.engine import open_engine
from app.gallery.store import GalleryStore
from tests.gallery.faces import MODEL_ID, new_face

THREADS = 4


def say(**line: Any) -> None:
    os.write(1, (json.dumps(line) + "\n").encode())  # short enough to be written as one


def plan(random_: random.Random, subjects: dict[str, set[int]], prefix: str, step: int) -> dict[str, Any]:
    """The next operation; `subjects` holds the photographs of each."""
    what = random_.choices(["new", "more", "remove_subject", "remove_face"], [4, 2, 2, 1])[0]
    photos = [100 * step + photo for photo in range(random_.randint(1, 4))]
    if what == "new" or not subjects:
        return {"what": "add", "subject": f"{prefix}-{step}", "photos": photos}
    subject = random_.choice(sorted(subjects))
    if what == "remove_face" and subjects[subject]:
        return {"what": what, "subject": subject, "photos": [random_.choice(sorted(subjects[subject]))]}
    return {"what": "add" if what == "more" else "remove_subject", "subject": subject, "photos": photos}


def write(store: GalleryStore, thread: int, prefix: str) -> None:
    random_ = random.Random(prefix)
    subjects: dict[str, set[int]] = {}
    ids: dict[tuple[str, int], str] = {}
    for step in range(1, 1_000_000):
        operation = plan(random_, subjects, prefix, step)
        what, subject, photos = operation.values()
        say(thread=thread, **operation)
        if what == "add":
            enrolled = store.add("default", subject, [new_face(photo) for photo in photos], max_faces=10_000)
            subjects.setdefault(subject, set()).update(photos)
            ids |= {(subject, photo): face.face_id for photo, face in zip(photos, enrolled.faces, strict=True)}
        elif what == "remove_subject":
            store.remove_subject("default", subject)
            del subjects[subject]
        else:
            store.remove_face("default", ids[subject, photos[0]])
            subjects[subject].discard(photos[0])
        say(thread=thread, done=True)


if __name__ == "__main__":
    threading.excepthook = lambda failure: os._exit(3)  # whoever waits for the kill must hear of it
    opened = GalleryStore(open_engine(sys.argv[1]), MODEL_ID)
    for number in range(THREADS):
        threading.Thread(target=write, args=(opened, number, f"r{sys.argv[2]}t{number}")).start()
