/** RFC 8705 section 3: tokens bound to a TLS client certificate, over real TLS and behind proxies. */
import { X509Certificate } from 'node:crypto';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { generate } from 'selfsigned';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireServiceAuth } from '../../adapters/express.ts';
import {
  type AuthRequest,
  createVerifier,
  forwardedClientCertificate,
  type VerifierOptions,
} from '../../src/index.ts';
import { certificateThumbprint } from '../../src/shared/certificate-thumbprint.ts';
import { requestWith } from '../helpers/dpop.ts';
import { reasonOf } from '../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs } from '../helpers/tokens.ts';
import { readVectors } from '../helpers/vectors.ts';

const key = await createKey('ES256');
const make = (options: Partial<VerifierOptions> = {}) =>
  createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    ...options,
  });

describe('the examples of the specification', () => {
  it.each(readVectors('rfc8705-cnf'))('$id: $description', async (vector) => {
    const { cnf } = (vector.claims ?? vector.introspection) as { cnf: object };
    const token = await mint(key, { cnf });
    const clientCertificate = () => (vector.certificate_pem ?? undefined) as string | undefined;
    const outcome = await make({ clientCertificate }).authenticate(
      requestWith({ authorization: `Bearer ${token}` }),
    );
    expect(outcome.ok).toBe(vector.expected === 'accept');
  });
});

const attributes = (value: string) => [{ name: 'commonName', value }];
const options = { keyType: 'ec' as const, curve: 'P-256' as const };
const billing = await generate(attributes('billing'), options);
const stranger = await generate(attributes('stranger'), options);
const server = await generate(attributes('localhost'), options);
const thumbprint = await certificateThumbprint(billing.cert);
const bound = await mint(key, { cnf: { 'x5t#S256': thumbprint } });

it('the thumbprint is what Node computes too', () => {
  const fingerprint = new X509Certificate(billing.cert).fingerprint256.replaceAll(':', '');
  expect(thumbprint).toBe(Buffer.from(fingerprint, 'hex').toString('base64url'));
});

describe('over TLS', () => {
  const app = express();
  app.use(requireServiceAuth({ verifier: make(), senderConstrained: 'mtls' }));
  app.use((request, response) => void response.json(request.caller?.clientId));
  const listener = createServer(
    { key: server.private, cert: server.cert, requestCert: true, rejectUnauthorized: false },
    app,
  );
  beforeAll(() => new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve)));
  afterAll(() => new Promise<unknown>((resolve) => listener.close(resolve)));

  function call(token: string, certificate?: { private: string; cert: string }): Promise<number | undefined> {
    const { port } = listener.address() as AddressInfo;
    const identity = certificate && { key: certificate.private, cert: certificate.cert };
    const headers = { authorization: `Bearer ${token}` };
    return new Promise((resolve, reject) => {
      httpsRequest({
        port,
        host: '127.0.0.1',
        ca: server.cert,
        servername: 'localhost',
        agent: false,
        headers,
        ...identity,
      })
        .on('response', (response) => {
          resolve(response.statusCode);
          response.resume();
        })
        .on('error', reject)
        .end();
    });
  }

  it('the client that the token is bound to is let in', async () => {
    expect(await call(bound, billing)).toBe(200);
  });

  it('another client is not, nor one without a certificate', async () => {
    expect(await call(bound, stranger)).toBe(401);
    expect(await call(bound)).toBe(401);
  });

  it('a token that is not bound is not enough where binding is asked', async () => {
    expect(await call(await mint(key), billing)).toBe(401);
  });
});

describe('behind a proxy that ends TLS', () => {
  const escaped = encodeURIComponent(billing.cert);
  const trustProxy = ['10.0.0.0/8'];
  const ask = (
    header: string,
    value: string,
    source = { trustProxy, header },
    remoteAddress = '10.0.0.1',
  ): Promise<string> => {
    const connection = { encrypted: false, remoteAddress, peerCertificate: undefined };
    const request: AuthRequest = requestWith(
      { authorization: `Bearer ${bound}`, [header]: value },
      { connection },
    );
    return reasonOf(make({ clientCertificate: forwardedClientCertificate(source) }).authenticate(request));
  };
  const XFCC = 'x-forwarded-client-cert';

  it.each([
    ['the certificate alone', `Cert="${escaped}"`],
    ['among others', `By=spiffe://orders;Hash=abc;Cert="${escaped}";Subject="CN=a,O=\\"b;c\\""`],
    ['as the last of several hops', `Cert="${encodeURIComponent(stranger.cert)}",Cert="${escaped}"`],
  ])('Envoy: %s', async (_name, value) => {
    expect(await ask(XFCC, value)).toBe('accepted');
  });

  it.each([
    ['the header of nobody who is trusted', `Cert="${escaped}"`, '192.0.2.1', 'missing_certificate'],
    ['an earlier hop alone', `Cert="${escaped}",By=spiffe://orders`, '10.0.0.1', 'missing_certificate'],
    [
      'another certificate',
      `Cert="${encodeURIComponent(stranger.cert)}"`,
      '10.0.0.1',
      'certificate_mismatch',
    ],
    [
      'two certificates in one element',
      `Cert="${escaped}";Cert="${escaped}"`,
      '10.0.0.1',
      'missing_certificate',
    ],
    ['an open quote', `Cert="${escaped}`, '10.0.0.1', 'missing_certificate'],
    ['no certificate', 'Cert="-----BEGIN CERTIFICATE-----"', '10.0.0.1', 'missing_certificate'],
    ['a broken escape', 'Cert="%"', '10.0.0.1', 'missing_certificate'],
    ['nothing', '', '10.0.0.1', 'missing_certificate'],
  ])('refused: %s', async (_name, value, address, expected) => {
    expect(await ask(XFCC, value, { trustProxy, header: XFCC }, address)).toBe(expected);
  });

  it('nginx: $ssl_client_escaped_cert in a header of its own', async () => {
    expect(await ask('ssl-client-cert', escaped)).toBe('accepted');
  });

  it('a callback that throws has found none', async () => {
    const clientCertificate = (): never => {
      throw new Error('no such header');
    };
    const request = requestWith({ authorization: `Bearer ${bound}` });
    expect(await reasonOf(make({ clientCertificate }).authenticate(request))).toBe('missing_certificate');
  });

  it.each([
    [{ trustProxy: [] }],
    [{ trustProxy: ['proxy'] }],
    [{ trustProxy, header: '' }],
    [{ trustProxy, proxy: 1 }],
  ])('%j is a mistake', (mistake) => {
    expect(() => forwardedClientCertificate(mistake)).toThrow(TypeError);
  });
});
