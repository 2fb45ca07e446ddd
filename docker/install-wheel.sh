#!/bin/sh
# Puts the wheel of this repository into /opt/sameface, and takes pip and the rest of packaging out of the image.
set -eu

/usr/local/bin/python3 -m pip --python /opt/sameface/bin/python install --no-cache-dir --no-deps /dist/*.whl
rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip*
