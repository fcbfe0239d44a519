#!/usr/bin/env bash
# Makes the certificates of tests/stories/tls.rs anew: self-signed, for 127.0.0.1 alone, good until 2126. They guard nothing.
set -euo pipefail
cd "$(dirname "$0")"
for name in first second; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=windvane test $name" \
    -addext "subjectAltName=IP:127.0.0.1" -keyout "$name.key" -out "$name.crt"
done
