#!/bin/sh
# curl against the embedded engine's endpoint: what a person types. Usage: WINDVANE=path tests/clients/curl.sh
set -eu

folder=$(mktemp -d)
mkfifo "$folder/stdin"
"$WINDVANE" engine --data "$folder/data" --listen 127.0.0.1:0 --exit-with-stdin <"$folder/stdin" 2>"$folder/log" &
engine=$!
exec 9>"$folder/stdin"
finish() {
    exec 9>&-
    wait "$engine" || true
    rm -rf "$folder"
}
trap finish EXIT

port=
for _ in $(seq 600); do
    port=$(sed -n 's/\x1b\[[0-9;]*m//g; s/.*address=[^ ]*127\.0\.0\.1:\([0-9]*\).*/\1/p' "$folder/log" | head -n 1)
    [ -n "$port" ] && break
    kill -0 "$engine" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    sleep 0.1
done
url=http://127.0.0.1:$port
password=$(sed -n 's/.*"password": "\([^"]*\)".*/\1/p' "$folder/data/access.json" | head -n 1)

expect() {
    what=$1 wanted=$2 got=$3
    [ "$got" = "$wanted" ] || { printf 'curl: %s\n  wanted: %s\n  got:    %s\n' "$what" "$wanted" "$got" >&2; exit 1; }
}
ask() { curl --silent --show-error --max-time 30 --user "windvane:$password" "$@"; }

expect "ping" "Ok." "$(curl --silent "$url/ping")"
expect "no password" "403" "$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/?query=SELECT+1")"
expect "query in the URL" "2" "$(ask "$url/?query=SELECT+1%2B1")"
expect "query in the body" "3" "$(ask "$url" --data-binary 'SELECT 1 + 2')"
ask "$url" --data-binary 'CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a'
printf '1,"x"\n2,"y"\n' | ask "$url/?query=INSERT+INTO+t+FORMAT+CSV" --data-binary @-
printf '{"a":3,"b":"z"}\n' | gzip | ask "$url/?query=INSERT+INTO+t+FORMAT+JSONEachRow" --header 'Content-Encoding: gzip' --data-binary @-
expect "rows" "3" "$(ask "$url" --data-binary 'SELECT count() FROM t')"
expect "compressed answer" "500000" "$(ask --compressed "$url" --data-binary 'SELECT number FROM numbers(500000)' | wc -l | tr -d ' ')"
expect "parameter" "it\\'s" "$(ask --get "$url" --data-urlencode "param_x=it's" --data-urlencode 'query=SELECT {x:String}')"
expect "form" "a b" "$(ask "$url" --form 'query=SELECT {x:String}' --form 'param_x=a b')"
expect "unknown table" "404 60" "$(ask --output /dev/null --write-out '%{http_code} %header{x-clickhouse-exception-code}' "$url" --data-binary 'SELECT * FROM nowhere')"
expect "files stay closed" "403 497" "$(ask --output /dev/null --write-out '%{http_code} %header{x-clickhouse-exception-code}' "$url" --data-binary "SELECT * FROM file('/etc/passwd')")"
expect "a failure in mid-result breaks the transfer" "18" "$(ask --output /dev/null "$url" --data-binary 'SELECT throwIf(number = 3000000) FROM numbers(10000000)' 2>/dev/null || echo $?)"
echo "curl: 13 checks passed"
