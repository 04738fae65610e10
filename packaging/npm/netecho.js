#!/usr/bin/env node
// Starts the program of this system, which npm installed as an optional package.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { constants } from "node:os";
import process from "node:process";
import { isatty } from "node:tty";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"];

function program() {
  const { platform, arch } = process;
  const name = platform === "win32" ? "netecho.exe" : "netecho";
  try {
    return createRequire(import.meta.url).resolve(`netecho-${platform}-${arch}/bin/${name}`);
  } catch {
    throw new Error(
      `the package netecho-${platform}-${arch} is not there; there is one for linux, darwin and win32 on x64, ` +
        "and for linux (glibc) and darwin on arm64. Install without --omit=optional",
    );
  }
}

function fail(error) {
  console.error(`netecho: ${error.message}`);
  process.exit(1);
}

/**
 * Whether a signal is passed on. On Windows, Ctrl-C reaches the program by itself. At a terminal Ctrl-\ does, too: to
 * `ping` each SIGQUIT is another report. SIGINTs that come together are one wish to it, so that one is passed on.
 */
function passes(name) {
  return process.platform !== "win32" && !(name === "SIGQUIT" && [0, 1, 2].some((file) => isatty(file)));
}

/** Ends as the program did: with its exit code, or by the signal that ended it. */
function end(code, signal) {
  if (signal === null) process.exit(code);
  for (const name of SIGNALS) process.removeAllListeners(name);
  process.kill(process.pid, signal);
  // A signal that does not end this process, such as one that a container's first process ignores.
  setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
}

function main() {
  const file = program();
  let child = null;
  // Before it starts, since a signal may come as soon as it does. Windows has no SIGQUIT and SIGUSR2.
  for (const name of SIGNALS.filter((name) => name in constants.signals)) {
    process.on(name, () => passes(name) && child?.kill(name));
  }
  child = spawn(file, process.argv.slice(2), { stdio: "inherit" });
  child.on("error", fail);
  child.on("exit", end);
}

try {
  main();
} catch (error) {
  fail(error);
}
