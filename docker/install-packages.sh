#!/bin/sh
# Makes /opt/sameface, a Python environment without pip, from a locked list; then takes out what a service never reads.
set -eu
requirements=$1

python3 -m venv --without-pip /opt/sameface
python3 -m pip --python /opt/sameface/bin/python install --no-cache-dir --only-binary :all: --require-hashes \
  --requirement "$requirements"

packages=$(echo /opt/sameface/lib/python3*/site-packages)
# What no service reads: tests, stubs, sources and headers of packages; data sets of scikit-learn; ONNX Runtime's
# converters, and its library for C programs, to which its Python module is not linked.
for package in joblib narwhals numpy onnxruntime psycopg scipy sklearn sqlalchemy uvloop; do
  find "$packages/$package" -type d -name tests -prune -exec rm -rf {} +
  find "$packages/$package" -type f \
    \( -name '*.pyi' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.cpp' -o -name '*.h' -o -name '*.a' \) -delete
done
rm -rf "$packages"/sklearn/datasets/data "$packages"/sklearn/datasets/images "$packages"/onnxruntime/datasets \
  "$packages"/onnxruntime/transformers "$packages"/onnxruntime/capi/libonnxruntime.so.*
case "$requirements" in
  *requirements-train.txt) ;; # models.precision makes eight bits with them
  *) rm -rf "$packages"/onnxruntime/quantization "$packages"/onnxruntime/tools ;;
esac
