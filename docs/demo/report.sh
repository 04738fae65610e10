#!/bin/bash
# Makes docs/demo/report.png again: a server that stands still once for half a second, as `bench` sees it, in a
# closed loop and by the clock. Run it in the root of the repository, after `npx -y deno@2.7.11 task compile`. It
# needs chromium, and a machine that does nothing else.
set -eu
page=$(mktemp --suffix .html)
./echo serve -q 127.0.0.1:8890 &
server=$!
trap 'kill $server; rm "$page"' EXIT
stall() { sleep 6; kill -STOP $server; sleep 0.5; kill -CONT $server; }

sleep 1
stall & ./echo bench :8890 -c 8 -d 10s
stall & ./echo bench :8890 -c 8 -d 10s --rate 2k --report "$page"
chromium --headless --no-sandbox --hide-scrollbars --window-size=900,1172 --screenshot=docs/demo/report.png "$page"
