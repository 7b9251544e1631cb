import { createVerifier } from 'service-auth';
import { equal } from '../support/expect.mjs';
import { judge } from '../support/judge.mjs';
import { keyOf, mint, trusting } from '../support/tokens.mjs';

/** Two certificates that signed themselves, and what OpenSSL says of the first: SHA-256 of its DER. */
const ofBilling = `-----BEGIN CERTIFICATE-----
MIIBijCCATGgAwIBAgIUEQByBeWlHz1qRHvqzpuT2V/j2PIwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPYmlsbGluZy5leGFtcGxlMCAXDTI2MTEyMTE3MDUzMloYDzIx
MjYxMDI4MTcwNTMyWjAaMRgwFgYDVQQDDA9iaWxsaW5nLmV4YW1wbGUwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQBXIL+qAHxBWRr+aNRKKoSf3IQaPsJlF7KMuo0
XRci3cDmzz55rq+xPRLZB653cDxeG7ZVV0DXvcApnQpIFZ+9o1MwUTAdBgNVHQ4E
FgQUs/cJovQ8biWUGHUqLOzKalE2sZYwHwYDVR0jBBgwFoAUs/cJovQ8biWUGHUq
LOzKalE2sZYwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiAc1v1Y
sAfOTkvTMWcpgTu7NKiZ0tWfKMGB/YJ6kg5bqQIgEONMvBcaZmMRAPb/GpBSjYS5
P1uILG8P9AwEpYL/UR4=
-----END CERTIFICATE-----`;
const ofShipping = `-----BEGIN CERTIFICATE-----
MIIBjTCCATOgAwIBAgIUR0pPpMOGXcDkMzfhOQpSX/R4ZlcwCgYIKoZIzj0EAwIw
GzEZMBcGA1UEAwwQc2hpcHBpbmcuZXhhbXBsZTAgFw0yNjExMjExNzA1MzJaGA8y
MTI2MTAyODE3MDUzMlowGzEZMBcGA1UEAwwQc2hpcHBpbmcuZXhhbXBsZTBZMBMG
ByqGSM49AgEGCCqGSM49AwEHA0IABDDtCHf+L6HoOAi8mWALWkpOBbiqj+Bx+TEq
NtgBwOybSCitY43Pggf1LNtKMoc5ATTkUFMDJj0UCmPf+21DoVyjUzBRMB0GA1Ud
DgQWBBSrVKWkh18MaL1vNTgUpHCEdNQpyzAfBgNVHSMEGDAWgBSrVKWkh18MaL1v
NTgUpHCEdNQpyzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQCS
WCxPnqeazHSzTh+T6HElAh4XU9xN7I/62DjwMnU7pwIgF7lQr5mIXD1hwI/xo+HZ
b2E59oUcRZnbcrf/LC3gwfc=
-----END CERTIFICATE-----`;
const thumbprint = 'qFaSKpPzVVGCSrHjno3hZCU-RO9S5W8HNY16nukGdVA';

async function setUp(clientCertificate) {
  const key = await keyOf('ES256');
  const token = await mint(key, { claims: { cnf: { 'x5t#S256': thumbprint } } });
  return { token, verifier: createVerifier(trusting(key, { clientCertificate })) };
}

async function checkPem() {
  const { token, verifier } = await setUp((request) => request.headers.get('x-certificate'));
  const outcome = (pem) =>
    judge(verifier, token, {
      headers: pem === undefined ? {} : { 'x-certificate': encodeURIComponent(pem) },
    });
  equal(await outcome(ofBilling), '200');
  equal(await outcome(ofShipping), '401 certificate_mismatch');
  equal(await outcome(undefined), '401 missing_certificate');
}

async function checkDer() {
  const base64 = ofBilling.replaceAll(/-----[A-Z ]+-----|\s/g, '');
  const der = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const { token, verifier } = await setUp(() => der);
  equal(await judge(verifier, token), '200');
}

export const certificates = {
  title: 'Certificate-bound tokens',
  checks: {
    'a certificate in PEM: the right one, another, none': checkPem,
    'a certificate in DER': checkDer,
  },
};
