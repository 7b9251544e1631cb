import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { tlsFetch } from '../../../../adapters/tls-fetch.ts';
import {
  clientSecretBasic,
  createTokenClient,
  forwardedClientCertificate,
  tlsClientAuth,
} from '../../../../src/index.ts';
import { readClientCertificate } from '../../../../src/issuer/clients/client-certificate.ts';
import type { IssuerConnection, TlsClientName } from '../../../../src/issuer/index.ts';
import { certificatePem, certificateThumbprint } from '../../../helpers/certificates.ts';
import {
  type Authority,
  type Certificate,
  createAuthority,
  createCertificate,
} from '../../../helpers/tls.ts';
import { rejection } from '../../outbound/support.ts';
import { type Harness, ISSUER } from '../harness.ts';
import { addSecretService, addService } from '../service-records.ts';
import { connect, createKeyedHarness, GRANT, postForm, refusals } from './support.ts';

let authority: Authority;
let billing: Certificate;
let orders: Certificate;
let selfSigned: Certificate;
beforeAll(async () => {
  authority = await createAuthority();
  [billing, orders, selfSigned] = await Promise.all([
    authority.issue('billing.example'),
    authority.issue('orders.example'),
    createCertificate('billing.example'),
  ]);
});

/** A connection as a server of TLS sees it. */
function over({ cert }: Pick<Certificate, 'cert'>, peerCertificateVerified?: boolean): IssuerConnection {
  const { raw: peerCertificate } = new X509Certificate(cert);
  const verified = peerCertificateVerified === undefined ? {} : { peerCertificateVerified };
  return { encrypted: true, remoteAddress: '127.0.0.1', peerCertificate, ...verified };
}

const addTlsService = (harness: Harness, tlsClientAuthName: TlsClientName): Promise<string> =>
  addService(harness.storage, { authMethods: ['tls_client_auth'], tlsClientAuth: tlsClientAuthName });

let harness: Harness;
beforeEach(async () => {
  harness = createKeyedHarness();
  await addTlsService(harness, { sanDns: 'billing.example' });
});

describe('tls_client_auth', () => {
  it('knows a client by the certificate that was verified', async () => {
    expect(await connect(harness, 'billing', tlsClientAuth(), over(billing, true))).toBe('Bearer');
  });

  it.each<TlsClientName>([{ subjectDn: 'CN=billing.example' }, { sanDns: 'BILLING.example' }])(
    'knows it by %o',
    async (name) => {
      harness = createKeyedHarness();
      await addTlsService(harness, name);
      expect(await connect(harness, 'billing', tlsClientAuth(), over(billing, true))).toBe('Bearer');
      expect(await connect(harness, 'billing', tlsClientAuth(), over(orders, true))).toBe(
        '401 invalid_client',
      );
    },
  );

  it.each<[string, string, () => IssuerConnection]>([
    ['of another client', 'wrong_certificate', () => over(orders, true)],
    ['that nobody has verified', 'unverified_certificate', () => over(selfSigned, false)],
    ['of which nobody says that it was verified', 'unverified_certificate', () => over(billing)],
    [
      'that is none',
      'no_certificate',
      () => ({ peerCertificate: Buffer.alloc(500, 0x30), peerCertificateVerified: true }),
    ],
    ['that was not presented', 'no_certificate', () => ({ peerCertificateVerified: true })],
  ])('refuses a certificate %s: %s', async (_, reason, connection) => {
    expect(await connect(harness, 'billing', tlsClientAuth(), connection())).toBe('401 invalid_client');
    expect(refusals(harness)).toContain(reason);
  });

  it('refuses a client that has a name for its certificate, but not the method', async () => {
    const name = { sanDns: 'billing.example' };
    const secret = await addSecretService(harness.storage, { clientId: 'secretive', tlsClientAuth: name });
    expect(await connect(harness, 'secretive', tlsClientAuth(), over(billing, true))).toBe(
      '401 invalid_client',
    );
    const auth = clientSecretBasic(secret);
    expect(await connect(harness, 'secretive', auth, over(billing, true))).toBe('Bearer');
  });

  it('refuses a secret or the method without a name', async () => {
    const methods = { authMethods: ['tls_client_auth'], clientId: 'nameless' } as const;
    const secret = await addSecretService(harness.storage, methods);
    const connection = over(billing, true);
    expect(await connect(harness, 'nameless', tlsClientAuth(), connection)).toBe('401 invalid_client');
    expect(await connect(harness, 'nameless', clientSecretBasic(secret), connection)).toBe(
      '401 invalid_client',
    );
    expect(await connect(harness, 'nobody', tlsClientAuth(), connection)).toBe('401 invalid_client');
  });

  it('does not believe headers, where no proxy was named', async () => {
    const headers = { 'x-forwarded-client-cert': `Cert="${encodeURIComponent(billing.cert)}"` };
    const form = { ...GRANT, client_id: 'billing' };
    const { status } = await postForm(harness, form, headers, { remoteAddress: '127.0.0.1' });
    expect(status).toBe(401);
  });
});

describe('behind a proxy', () => {
  const proxy = { remoteAddress: '10.0.0.1', encrypted: false };
  beforeEach(async () => {
    const clientCertificate = forwardedClientCertificate({
      trustProxy: ['10.0.0.0/8'],
      header: 'x-client-cert',
    });
    harness = createKeyedHarness({ clientCertificate });
    await addTlsService(harness, { sanDns: 'billing.example' });
  });

  const ask = async (certificate: Certificate | undefined, connection: IssuerConnection): Promise<number> => {
    const headers = certificate && { 'x-client-cert': encodeURIComponent(certificate.cert) };
    return (await postForm(harness, { ...GRANT, client_id: 'billing' }, headers, connection)).status;
  };

  it('takes the certificate that the proxy has verified, of that proxy alone', async () => {
    expect(await ask(billing, proxy)).toBe(200);
    expect(await ask(orders, proxy)).toBe(401);
    expect(await ask(billing, { ...proxy, remoteAddress: '192.0.2.1' })).toBe(401);
  });

  it('never takes the certificate of the proxy itself for that of a client', async () => {
    expect(await ask(undefined, { ...proxy, ...over(billing, true) })).toBe(401);
    expect(refusals(harness)).toEqual(['no_certificate']);
  });

  it('a source that throws has found none', async () => {
    harness = createKeyedHarness({
      clientCertificate: () => {
        throw new Error('canary');
      },
    });
    await addTlsService(harness, { sanDns: 'billing.example' });
    expect(await ask(billing, proxy)).toBe(401);
    expect(JSON.stringify(harness.events)).not.toContain('canary');
  });
});

describe('readClientCertificate', () => {
  const request = new Request(`${ISSUER}/token`, { method: 'POST' });

  it('gives the thumbprint of RFC 8705, of PEM and of DER', () => {
    const { raw } = new X509Certificate(certificatePem);
    for (const given of [certificatePem, raw, encodeURIComponent(certificatePem)]) {
      const certificate = readClientCertificate(
        { clientCertificate: () => given },
        { request, connection: {} },
      );
      expect(certificate).toEqual({ thumbprint: certificateThumbprint, der: raw, verified: true });
    }
  });

  it('says whether the certificate of a connection was verified', () => {
    const settings = { clientCertificate: undefined };
    const read = (connection: IssuerConnection) => readClientCertificate(settings, { request, connection });
    expect(read(over(billing, true))).toMatchObject({ verified: true });
    expect(read(over(billing, false))).toMatchObject({ verified: false });
    expect(read(over(billing))).toMatchObject({ verified: false });
    expect(read({})).toBeUndefined();
  });
});

describe('over a real connection', () => {
  it('an authority that is trusted makes the difference', async () => {
    const { cert, key } = await authority.issue('ip:127.0.0.1');
    const options = { cert, key, ca: authority.cert, requestCert: true, rejectUnauthorized: false };
    const server = createServer(options, async (incoming, outgoing) => {
      const chunks: Buffer[] = [];
      for await (const chunk of incoming) chunks.push(chunk);
      const { socket, method = 'GET', headers } = incoming;
      if (!(socket instanceof TLSSocket)) throw new Error('not TLS');
      const body = Buffer.concat(chunks);
      const init = {
        method,
        headers: { 'content-type': String(headers['content-type']) },
        ...(body.length > 0 && { body }),
      };
      const response = await harness.issuer.fetch(new Request(`${ISSUER}${incoming.url}`, init), {
        encrypted: true,
        remoteAddress: socket.remoteAddress,
        peerCertificate: socket.getPeerCertificate().raw,
        peerCertificateVerified: socket.authorized,
      });
      outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const folder = await mkdtemp(join(tmpdir(), 'service-auth-tls-'));
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true });
    });
    const tokenEndpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
    const files = ['tls.crt', 'tls.key', 'ca.crt'].map((name) => join(folder, name));
    const [certFile = '', keyFile = '', caFile = ''] = files;
    await writeFile(caFile, authority.cert);
    const ask = async (certificate: Certificate) => {
      await writeFile(certFile, certificate.cert);
      await writeFile(keyFile, certificate.key);
      const fetch = tlsFetch({ certFile, keyFile, caFile });
      return createTokenClient({
        tokenEndpoint,
        clientId: 'billing',
        clientAuth: tlsClientAuth(),
        fetch,
      }).getToken();
    };
    expect((await ask(billing)).tokenType).toBe('Bearer');
    expect(await rejection(ask(orders))).toMatchObject({ status: 401, oauthError: 'invalid_client' });
    expect(await rejection(ask(selfSigned))).toMatchObject({ status: 401, oauthError: 'invalid_client' });
    expect(new Set(refusals(harness))).toEqual(new Set(['wrong_certificate', 'unverified_certificate']));
  });
});
