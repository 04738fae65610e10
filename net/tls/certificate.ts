/** Certificates and keys in files of PEM (RFC 7468): read, checked, and made where none are given. */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { UsageError } from "../../base/units.ts";
import { reason } from "../../base/errors.ts";
import type { Pair } from "../tls_settings.ts";

const HOUR_MS = 3_600_000;
/** How long a certificate that was made is valid; before its time too, for clients whose clock is slow. */
const MADE_FOR_DAYS = 30;

/** Where systems keep the certificates they trust: Debian and Arch, Fedora, openSUSE, Alpine and macOS. */
const SYSTEM_BUNDLES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** SHA-256 of the first certificate, in upper-case hex with colons. */
export function fingerprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256;
}

/** Reads a certificate and the key that belongs to it. Throws UsageError when they cannot be used now. */
export function readPair(certFile: string, keyFile: string): Pair {
  const cert = read("--cert", certFile);
  const [leaf] = certificates("--cert", certFile, cert);
  const invalid = leaf && validity(leaf);
  if (invalid) throw new UsageError(`--cert ${certFile}: the certificate ${invalid}`);
  const key = read("--key", keyFile);
  if (!leaf?.checkPrivateKey(parseKey(keyFile, key))) {
    throw new UsageError(`--key ${keyFile} does not belong to the certificate in ${certFile}`);
  }
  return { cert, key };
}

/** Reads certificates to trust, of which one at least must be valid. Throws UsageError. */
export function readAuthorities(flag: string, file: string): string {
  const pem = read(flag, file);
  const faults = certificates(flag, file, pem).map(validity);
  if (faults.every((fault) => fault !== undefined)) {
    throw new UsageError(`${flag} ${file}: the certificate ${faults[0]}`);
  }
  return pem;
}

/** All certificates of a text; throws where one is damaged. */
export function certificatesIn(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? [];
  return blocks.map((block) => new X509Certificate(block));
}

/** The certificates that this system trusts; undefined where they are not found. Deno does not look at them itself. */
export function systemAuthorities(): string | undefined {
  for (const file of SYSTEM_BUNDLES) {
    try {
      return Deno.readTextFileSync(file);
    } catch { /* another system */ }
  }
  return undefined;
}

/** Writes the certificate, and not its key, to where `connect --ca` takes it. Throws UsageError. */
export function saveCertificate(file: string, { cert }: Pair): void {
  try {
    Deno.writeTextFileSync(file, `${cert}\n`);
  } catch (error) {
    throw new UsageError(`cannot write --save-cert ${file}: ${reason(error)}`);
  }
}

/** Why a certificate is not valid at this time; undefined: it is. */
export function validity({ validFromDate, validToDate }: X509Certificate): string | undefined {
  if (validToDate.getTime() < Date.now()) return `expired on ${showDate(validToDate)}`;
  if (validFromDate.getTime() > Date.now()) return `is not valid before ${showDate(validFromDate)}`;
  return undefined;
}

/** `2026-12-31 23:59:59 UTC`. */
export function showDate(date: Date): string {
  return date.toISOString().replace("T", " ").replace(/\.\d+Z$/, " UTC");
}

/** Makes a self-signed certificate (ECDSA, P-256) for this machine alone, and its key, which is never stored. */
export async function makePair(): Promise<Pair> {
  await import("reflect-metadata"); // what the library needs, and does not bring
  const x509 = await import("@peculiar/x509");
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]) as CryptoKeyPair;
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=echo",
    notBefore: new Date(Date.now() - 24 * HOUR_MS),
    notAfter: new Date(Date.now() + MADE_FOR_DAYS * 24 * HOUR_MS),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: "dns", value: "localhost" },
        { type: "ip", value: "127.0.0.1" },
        { type: "ip", value: "::1" },
      ]),
    ],
  });
  const key = x509.PemConverter.encode(
    await crypto.subtle.exportKey("pkcs8", keys.privateKey),
    "PRIVATE KEY",
  );
  return { cert: cert.toString("pem"), key };
}

function read(flag: string, file: string): string {
  try {
    return Deno.readTextFileSync(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Deno.errors.PermissionDenied
      ? "permission denied; look at its owner and mode"
      : reason(error);
    throw new UsageError(`cannot read ${flag} ${file}: ${why}`);
  }
}

function certificates(flag: string, file: string, pem: string): X509Certificate[] {
  try {
    const found = certificatesIn(pem);
    if (found.length > 0) return found;
  } catch {
    throw new UsageError(`${flag} ${file} holds a certificate that is damaged`);
  }
  throw new UsageError(`${flag} ${file} holds no certificate in PEM`);
}

function parseKey(file: string, pem: string): ReturnType<typeof createPrivateKey> {
  if (!/-----BEGIN .*PRIVATE KEY-----/.test(pem)) {
    throw new UsageError(`--key ${file} holds no private key in PEM`);
  }
  if (/ENCRYPTED/.test(pem)) {
    throw new UsageError(`--key ${file} is encrypted; decrypt it first: openssl pkey -in ${file} -out PLAIN`);
  }
  try {
    return createPrivateKey(pem);
  } catch {
    throw new UsageError(`--key ${file} holds a key that is damaged, or of a kind that Deno does not know`);
  }
}
