// A signature that a certificate checks, whose address comes with the call. The address decides whom we ask and the certificate whom we
// believe, so both must lie in the provider's own domains, and somebody trusted must stand behind the certificate now. Nothing is fetched here.

import { X509Certificate, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import tls from 'node:tls';
import { Stranger, Unproved, decoded, headerOf, isForm, signedBytes } from './signature.js';

// Of one file: certificates; between one and whom we trust: certificates, and signatures that are looked at on the way.
const MOST_CERTIFICATES = 10;
const MOST_STEPS = 6;
const MOST_CHECKS = 100;
// What a certificate may be for, where it says it, https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12
const SERVER = '1.3.6.1.5.5.7.3.1';
const ANYTHING = '2.5.29.37.0';

const block = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/**
 * The address that the certificate is to be fetched from: HTTPS, at its usual port, in a domain of the provider.
 * @param {import('./signature.js').Call} call
 * @param {{ urlHeader: string, within: string[] }} way
 */
export function certificateUrl(call, { urlHeader, within }) {
  const url = headerOf(call, urlHeader).trim();
  // A name and nothing else: no user, no port, no backslash that some read as a slash.
  const [, host] = /^https:\/\/([A-Za-z0-9.-]*)(?:[/?#].*)?$/s.exec(url) ?? [];
  if (host === undefined || !isWithin(host, within)) throw untrusted("its address is not the provider's");
  return url;
}

/**
 * @param {import('./signature.js').Call} call
 * @param {{ file: Buffer, trusted: X509Certificate[] } | undefined} brought the file with the certificate first and those that lead to one
 *   of `trusted` behind it, PEM
 * @param {{ algorithm: 'ecdsa_p256_sha256' | 'rsa_sha256', header: string, urlHeader: string, within: string[], signed: (string | object)[] }} way
 */
export function verifyCertificate(call, brought, way) {
  if (brought === undefined) throw new Unproved();
  certificateUrl(call, way);
  const [first, ...others] = certificatesIn(brought.file.toString('latin1'));
  if (first === undefined) throw untrusted('it cannot be read');
  believe(first, others, brought.trusted, way.within, call.arrived);
  const signature = decoded(headerOf(call, way.header).trim(), 'base64');
  if (signature === undefined) throw new Stranger(`the header \`${way.header}\` cannot be read`);
  const bytes = signedBytes(call, way.signed, { url: call.url, withoutParameters: !isForm(call) });
  if (!isOfKind(first.publicKey, way.algorithm) || !verify('sha256', bytes, first.publicKey, signature)) throw new Stranger('the signature is wrong');
}

/** Those whom Node.js trusts, with those that `NODE_EXTRA_CA_CERTS` names. */
export function whomWeTrust(environment = process.env) {
  const more = environment.NODE_EXTRA_CA_CERTS;
  return [...tls.rootCertificates, ...(more ? readFileSync(more, 'latin1').match(block) ?? [] : [])].map((text) => new X509Certificate(text));
}

function certificatesIn(text) {
  try {
    return (text.match(block) ?? []).slice(0, MOST_CERTIFICATES).map((found) => new X509Certificate(found));
  } catch {
    throw untrusted('it cannot be read');
  }
}

/** It is the provider's, it holds at the time, and it leads to somebody we trust. */
function believe(certificate, others, trusted, within, at) {
  const names = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'));
  if (!names.some((name) => isWithin(name.slice('DNS:'.length), within))) throw untrusted("the name in it is not the provider's");
  if (at > Date.parse(certificate.validTo)) throw untrusted('it has ended');
  if (at < Date.parse(certificate.validFrom)) throw untrusted('it does not hold yet');
  const checks = { left: MOST_CHECKS };
  if (certificate.ca || !isForServers(certificate) || !leads(certificate, others, trusted, at, checks, MOST_STEPS)) {
    throw untrusted('nobody we trust stands behind it');
  }
}

function leads(certificate, others, trusted, at, checks, steps) {
  if (trusted.some((root) => isIssued(certificate, root, checks))) return true;
  if (steps === 0) return false;
  const holds = (other) => other.ca && isForServers(other) && at >= Date.parse(other.validFrom) && at <= Date.parse(other.validTo);
  return others.some((other) => {
    const rest = others.filter((one) => one !== other);
    return holds(other) && isIssued(certificate, other, checks) && leads(other, rest, trusted, at, checks, steps - 1);
  });
}

function isIssued(certificate, by, checks) {
  if (!certificate.checkIssued(by) || checks.left === 0) return false;
  checks.left -= 1;
  return certificate.verify(by.publicKey);
}

function isForServers({ keyUsage }) {
  return keyUsage === undefined || keyUsage.includes(SERVER) || keyUsage.includes(ANYTHING);
}

function isOfKind({ asymmetricKeyType: type, asymmetricKeyDetails: details }, algorithm) {
  if (algorithm === 'ecdsa_p256_sha256') return type === 'ec' && details.namedCurve === 'prime256v1';
  return type === 'rsa' && details.modulusLength >= 2048 && details.modulusLength <= 8192;
}

/** Whether a name is one of the domains or lies in one. */
function isWithin(name, domains) {
  const lower = name.toLowerCase();
  return domains.map((domain) => domain.toLowerCase()).some((domain) => lower === domain || lower.endsWith(`.${domain}`));
}

function untrusted(why) {
  return new Stranger(`the certificate is not to be trusted: ${why}`);
}
