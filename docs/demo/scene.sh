# What the recording shows. record.sh runs it in a terminal, with the server and the middlebox already up.

say() { printf '\033[36m# %s\033[0m\n' "$1"; sleep 1; }
run() { printf '\033[32m$\033[0m %s\n' "$1"; sleep 1; eval "$1"; sleep "${2:-2}"; printf '\n'; }

say 'A proxy on port 8000 forwards to "./echo serve" on port 8890. Is it sound?'
run './echo ping -q -c 20 -i 50ms :8000'
say 'Small messages come back right. And a file?'
run 'socat -t 5 - TCP:127.0.0.1:8000 < disk.img | wc -c'
say 'As many bytes came back as were sent. echo compares them:'
run './echo connect :8000 < disk.img > /dev/null' 1
say 'The exit code is 1, the place is named, and the byte.'
sleep 5
