#!/usr/bin/env bash
# Makes the certificates of tests/stories/tls.rs anew: self-signed, for 127.0.0.1 alone, good until 2126. They guard nothing.
set -euo pipefail
cd "$(dirname "$0")"
for name in first second; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=windvane test $name" \
    -addext "subjectAltName=IP:127.0.0.1" -keyout "$name.key" -out "$name.crt"
done
# An authority, and a server's certificate that it vouches for; the authority's key is not kept. For clients that take no self-signed ones.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj "/CN=windvane test authority" \
  -keyout authority.key -out authority.crt
openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=windvane test vouched" -keyout vouched.key -out vouched.csr
openssl x509 -req -in vouched.csr -CA authority.crt -CAkey authority.key -days 36500 \
  -extfile <(printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=critical,CA:FALSE\n') -out vouched.crt
rm authority.key vouched.csr
