#!/bin/bash
# Makes docs/demo/flip.svg again, from the real program. Run it in the root of the repository, after
# `npx -y deno@2.7.11 task compile`. It needs Debian's termtosvg and socat, and Deno for the middlebox.
set -eu
scene=$PWD/docs/demo/scene.sh
folder=$(mktemp -d)
ln -s "$PWD/echo" "$folder/echo"
head -c 3000000 /dev/urandom > "$folder/disk.img"

./echo serve -q 127.0.0.1:8890 &
deno run --allow-net docs/demo/flip.ts 8000 8890 1234567 &
trap 'kill $(jobs -p); rm -r "$folder"' EXIT
sleep 2

(cd "$folder" && termtosvg record flip.cast -g 80x18 -c "bash $scene") < <(sleep 60) # the end of its input would end it
termtosvg render "$folder/flip.cast" docs/demo/flip.svg -t window_frame -m 100 -D 4000
sed -i '1i <!-- deno-fmt-ignore-file -->' docs/demo/flip.svg
