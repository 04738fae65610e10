/** The three kinds of executables that our targets have. */

import { checkSignature } from "./codesign.ts";
import { checkElf, cutElf, ELF_MACHINE } from "./elf.ts";
import { checkMachO, MachO, MACHO_MACHINE } from "./macho.ts";
import { cutMachO } from "./macho_cut.ts";
import { checkPe, cutPe, PE_MACHINE } from "./pe.ts";
import type { Target } from "./targets.ts";

interface Kind {
  /** Throws Error, which says what is wrong. */
  readonly check: (bytes: Uint8Array) => void;
  /** Takes the runtime out of a program that was compiled with it. Throws Error likewise. */
  readonly cut: (program: Uint8Array) => Uint8Array;
}

const KINDS: Readonly<Record<Target, Kind>> = {
  "x86_64-unknown-linux-gnu": { check: (bytes) => checkElf(bytes, ELF_MACHINE.x86_64), cut: cutElf },
  "aarch64-unknown-linux-gnu": { check: (bytes) => checkElf(bytes, ELF_MACHINE.aarch64), cut: cutElf },
  "x86_64-apple-darwin": { check: checkIntelMac, cut: cutMachO },
  "aarch64-apple-darwin": { check: checkAppleMac, cut: cutMachO },
  "x86_64-pc-windows-msvc": { check: (bytes) => checkPe(bytes, PE_MACHINE.x86_64), cut: cutPe },
};

/** An Intel Mac starts a file that is not signed. */
function checkIntelMac(bytes: Uint8Array): void {
  checkMachO(bytes, MACHO_MACHINE.x86_64);
  if (new MachO(bytes).signature !== undefined) checkSignature(bytes);
}

function checkAppleMac(bytes: Uint8Array): void {
  checkMachO(bytes, MACHO_MACHINE.aarch64);
  checkSignature(bytes);
}

/**
 * Checks that an executable is one for that target, and whole: what its headers point to is there, and a code
 * signature is right. Throws Error, which says what is wrong. It does not start it.
 */
export function checkExecutable(file: string | Uint8Array, target: Target): void {
  KINDS[target].check(typeof file === "string" ? Deno.readFileSync(file) : file);
}

/** Takes the runtime out of a program that `deno compile` of 2.7 made for that target. Throws Error likewise. */
export function cutRuntime(program: Uint8Array, target: Target): Uint8Array {
  return KINDS[target].cut(program);
}
