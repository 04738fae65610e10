/** The systemd unit: checked by systemd, and run by a real one, in a container of this machine's own files. */

import { assertEquals, assertMatch } from "@std/assert";
import { isFile, type Ran, ran } from "../support/commands.ts";
import { has, ROOT } from "../support/helpers.ts";
import { DIST, programOf } from "../../tools/release/names.ts";

const UNIT = `${ROOT}packaging/systemd/netecho.service`;
const PROGRAM = `${DIST}/${programOf("x86_64-unknown-linux-gnu")}`;

/** Lays a writable tmpfs over this machine's files, runs $2... there, and prints $1. All mounts end with it. */
const OVERLAY = `
set -eu
mount -t tmpfs tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
: >"$WORK/root/etc/machine-id"
cp -r "$FILES/." "$WORK/root"
timeout 60 systemd-nspawn --quiet -D "$WORK/root" -M "netecho-$$" --register=no --keep-unit --private-network \\
  --console=pipe --bind-ro="$PROGRAM:/usr/local/bin/netecho" "$@" </dev/null >"$WORK/console" 2>&1 ||
  { cat "$WORK/console" "$WORK/root/checked"; exit 1; }
if [ -f "$WORK/root/checked" ]; then cat "$WORK/root/checked"; fi
`;

const CHECK_UNIT = `
[Unit]
Wants=netecho.service
After=basic.target netecho.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
StandardOutput=file:/checked
StandardError=inherit
ExecStart=/bin/sh -eu /etc/check.sh
`;

/** What an administrator does with it, from the start to another port. */
const CHECK = `
connect() { /usr/local/bin/netecho connect --quiet "$@"; }
connect --retry 10s 127.0.0.1 over TCP
connect '[::1]' over IPv6
connect udp://127.0.0.1 over UDP
systemctl reload netecho
connect 127.0.0.1 after the reload
pid=$(systemctl show --property MainPID --value netecho)
grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' "/proc/$pid/status" | tr -s '\\t\\n' ' '; echo
echo user $(stat --format %u "/proc/$pid")
systemctl kill --signal KILL netecho
connect --retry 10s 127.0.0.1 after it was killed
systemctl stop netecho
systemctl show --property Result --property ExecMainStatus netecho
openssl req -x509 -config /dev/null -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout /root/key.pem -out /root/cert.pem \\
  -subj /CN=netecho -addext subjectAltName=DNS:localhost 2>/dev/null
mkdir -p /etc/systemd/system/netecho.service.d
cat >/etc/systemd/system/netecho.service.d/override.conf <<'END'
[Service]
ExecStart=
ExecStart=/usr/local/bin/netecho serve 127.0.0.1:7 unix:/run/netecho/echo.sock tls://:8891 \\
  --cert \${CREDENTIALS_DIRECTORY}/cert.pem --key \${CREDENTIALS_DIRECTORY}/key.pem
LoadCredential=cert.pem:/root/cert.pem
LoadCredential=key.pem:/root/key.pem
PrivateUsers=no
CapabilityBoundingSet=CAP_NET_BIND_SERVICE
AmbientCapabilities=CAP_NET_BIND_SERVICE
END
systemctl daemon-reload
systemctl start netecho
connect --retry 10s 127.0.0.1:7 on port 7
connect --retry 10s unix:/run/netecho/echo.sock over a Unix socket
connect --retry 10s tls://localhost:8891 --ca /root/cert.pem over TLS
systemctl stop netecho
journalctl --sync
journalctl --unit netecho --output cat
`;

/** Runs a command in a container that has these files besides the machine's own. */
async function inContainer(files: Record<string, string>, words: readonly string[]): Promise<Ran> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/files/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/files/${path}`, text);
    }
    await Deno.mkdir(`${folder}/work`);
    const env = { WORK: `${folder}/work`, FILES: `${folder}/files`, PROGRAM };
    return await ran(["unshare", "--mount", "sh", "-c", OVERLAY, "sh", ...words], env);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Not without root's rights, and not in each container. */
const BOOTS = isFile(PROGRAM) && has("systemd-nspawn", "unshare", "openssl") &&
  (await inContainer({ "etc/hostname": "netecho" }, ["/bin/true"])).code === 0;

Deno.test({
  name: "the systemd unit has no mistake, and gives away little: at most 1.5 of 10 by systemd's own scale",
  ignore: !has("systemd-analyze"),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const unit = `${folder}/netecho.service`;
      const text = await Deno.readTextFile(UNIT);
      await Deno.writeTextFile(unit, text.replaceAll("/usr/local/bin/netecho", "/bin/true"));
      assertEquals(await ran(["systemd-analyze", "verify", "--man=no", unit]), { code: 0, output: "" });
      const security = ["systemd-analyze", "security", "--offline=yes", "--no-pager"];
      const { code, output } = await ran([...security, "--threshold=15", unit]);
      assertEquals(code, 0, output);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test({
  name: "systemd starts it, reloads it, starts it again when it was killed, stops it, and gives it port 7",
  ignore: !BOOTS,
  async fn() {
    const { code, output } = await inContainer({
      "etc/systemd/system/netecho.service": await Deno.readTextFile(UNIT),
      "etc/systemd/system/check.service": CHECK_UNIT,
      "etc/check.sh": CHECK,
    }, ["--boot", "systemd.unit=check.service"]);
    assertEquals(code, 0, output);
    const lines = output.split("\n");
    const [user = ""] = lines.filter((line) => line.startsWith("user "));
    assertMatch(user, /^user 6\d{4}$/, output); // of DynamicUser=
    assertEquals(
      lines.slice(0, lines.indexOf("on port 7") + 3).filter((line) => line !== user),
      [
        "over TCP",
        "over IPv6",
        "over UDP",
        "after the reload",
        "CapEff: 0000000000000000 CapBnd: 0000000000000000 NoNewPrivs: 1 Seccomp: 2 ",
        "after it was killed",
        "Result=success",
        "ExecMainStatus=0",
        "on port 7",
        "over a Unix socket",
        "over TLS",
      ],
    );
    assertMatch(output, /WARN {2}up .*, 0 open \(0\), 2 clients served, 1 datagram/, output);
  },
});
